"""Runs a module with discord.py pointed at another Discord: API-URL GATEWAY-URL MODULE [ARGUMENT...]."""

import runpy
import sys

from discord.gateway import DiscordWebSocket
from discord.http import Route
from yarl import URL


def main() -> None:
    """Set the two addresses and run the module."""
    api_url, gateway_url, module, *arguments = sys.argv[1:]
    Route.BASE = api_url
    DiscordWebSocket.DEFAULT_GATEWAY = URL(gateway_url)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
