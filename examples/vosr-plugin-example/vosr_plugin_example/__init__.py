"""Components for VOSR that come by entry point."""
