"""Closed by default: listening beyond this machine needs keys and a password."""

import ipaddress

from lib.settings import Settings, SettingsError


def refuse_to_listen_openly(settings: Settings, address: str | None) -> None:
    """Raises SettingsError when others could reach the server without any key or password."""
    if _is_loopback(address):
        return
    if not settings.accepted_keys:
        raise SettingsError(
            f"Listening on {address or 'every address'} lets others in: set API_KEYS to the keys "
            "that API clients must present, or listen on 127.0.0.1."
        )
    if not settings.dashboard_password:
        raise SettingsError(
            f"Listening on {address or 'every address'} lets others in: set DASHBOARD_PASSWORD to "
            "the password that opens the dashboard, or listen on 127.0.0.1."
        )


def _is_loopback(address: str | None) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
