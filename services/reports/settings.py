"""What the reports service is told from outside, beside the shared settings."""

from services.runtime.settings import Settings


class ReportsSettings(Settings):
    """Limits of what people may upload."""

    reports_template_bytes: int = 2 << 20
    """Largest DOCX template that is taken."""
