"""``health``: whether the running bot answers."""

from bot.config import Config
from bot.domain.errors import OperatorError
from bot.web.health import is_healthy


def perform(config: Config, *, ready: bool) -> int:
    """Ask the running bot whether it answers, or is ready; the exit code. Raises OperatorError."""
    if not config.web.port:
        raise OperatorError("web.port is 0, so the port is chosen at start and can't be known here: set web.port.")
    address = config.web.host, config.web.port
    if ready:
        healthy = is_healthy(*address, "/readyz")
        print("The bot is ready." if healthy else "The bot is not ready.")
    else:
        healthy = is_healthy(*address)
        print("The bot answers." if healthy else f"Nothing answers at {config.web.host}:{config.web.port}.")
    return 0 if healthy else 1
