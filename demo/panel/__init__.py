"""The demo's page: simcord's preview, and next to it a panel for what the preview cannot do."""
