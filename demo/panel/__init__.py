"""The demo's page: simcord's preview, and beside it a panel for what the preview cannot do."""

from demo.panel.door import open_socket
from demo.panel.server import serve_panel

__all__ = ["open_socket", "serve_panel"]
