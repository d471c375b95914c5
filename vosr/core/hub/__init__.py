"""The Hugging Face hub: files fetched by name, with failures told apart."""

from vosr.core.hub.failures import HubError
from vosr.core.hub.fetch import cached, fetch, files_of, is_same

__all__ = ["HubError", "cached", "fetch", "files_of", "is_same"]
