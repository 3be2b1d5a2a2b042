"""What the notifier is told from outside, beside the shared settings."""

from typing import Literal

from pydantic import Field

from services.runtime.settings import Settings


class NotifierSettings(Settings):
    """Where mails go, as whom, and how fast."""

    public_url: str = "http://127.0.0.1:8000"
    """Where people reach the pages; links in mails begin with it."""
    smtp_host: str = ""
    """The relay; empty: mails are caught on this machine and shown at `/mail`."""
    smtp_port: int = Field(587, ge=1, le=65_535)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str = ""
    smtp_password: str = ""
    smtp_ca_file: str = ""
    """Certificates to trust beside the system's; for a relay with one of its own."""
    smtp_timeout_seconds: float = Field(30.0, gt=0)
    smtp_connections: int = Field(3, ge=1, le=20)
    smtp_retry_seconds: float = Field(60.0, gt=0)
    """First pause after a 4xx answer; doubles each time, up to an hour."""
    smtp_give_up_hours: float = Field(72.0, gt=0)
    mail_from: str = "thi-dua@localhost"
    mail_reply_to: str = ""
    mail_per_minute: int = Field(600, ge=1)
    catcher_port: int = Field(0, ge=0, le=65_535)
    """Port of the embedded mail catcher; 0: any free one."""
    catcher_keeps: int = Field(500, ge=1)
    """Mails that the catcher keeps."""
    channels: bool = False
    """Whether contacts may also be told by other channels than mail."""
    escalations: bool = True
    """Whether what nobody acknowledges goes up the chain."""
