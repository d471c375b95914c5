"""A model as the hub's own mixin saves and publishes it."""

from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelHubMixin

from vosr.checkpoints.model_card import write_card
from vosr.checkpoints.model_folder import save_model
from vosr.core.hub.failures import told_apart
from vosr.core.hub.fetch import endpoint
from vosr.model import RestorationModel


class PublishedModel(ModelHubMixin):
    """What ``save_pretrained`` and ``push_to_hub`` work on.

    Args:
        model: to be written, in our format, with the files of its parts.
        source: what it was opened from; a run folder's data, metrics and images go into the card.
        license: that the user names.
        name: that the card calls it by; by default the folder's.
    """

    def __init__(
        self, model: RestorationModel, source: str | Path, license: str | None = None, name: str | None = None
    ) -> None:
        self._model, self._source, self._license, self._name = model, source, license, name

    def _save_pretrained(self, save_directory: Path) -> None:
        save_model(self._model, save_directory, portable=True)
        name = self._name or save_directory.resolve().name
        write_card(self._model, save_directory, self._source, name, self._license)

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Make the repository and write all files in one commit.

        Raises:
            HubError: the hub refuses it or cannot be reached.
        """
        with told_apart(endpoint(), repo_id):
            return str(super().push_to_hub(repo_id, **options))


def push_folder(folder: Path, repo: str) -> str:
    """Publish a written model folder; returns the address of the commit.

    Raises:
        HubError: the hub refuses it or cannot be reached.
    """
    with told_apart(endpoint(), repo):
        api = HfApi(endpoint=endpoint())
        api.create_repo(repo, exist_ok=True)
        return str(api.upload_folder(repo_id=repo, folder_path=folder, ignore_patterns=".*"))
