"""A Discord on loopback: simcord behind real HTTP and a real websocket.

A bot in its own process connects to it with unpatched discord.py; only the two addresses differ from Discord's.
"""

from tests.front.faults import Fault, Faults, Scripted, rate_limited
from tests.front.front import DiscordFront, answered
from tests.front.process import BotProcess
from tests.front.recording import Request, UploadedFile
from tests.front.rest import UploadLimits

__all__ = [
    "BotProcess",
    "DiscordFront",
    "Fault",
    "Faults",
    "Request",
    "Scripted",
    "UploadLimits",
    "UploadedFile",
    "answered",
    "rate_limited",
]
