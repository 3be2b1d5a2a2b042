"""Stage 3: what is not told, with its reason; and until when something is held back."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from contracts.calendar import LOCAL, local_date
from contracts.plan import AlertRule, Alerts
from services.notifier.domain.due import at_time
from services.runtime.mongo import Document


def silenced_by(silences: Iterable[Document], unit: str, rule: str) -> Document | None:
    """The silence that covers an alert."""
    return next(
        (s for s in silences if s["unit"] in {"", unit} and s["rule"] in {"", rule}), None
    )


def mutes(rule: AlertRule, month: str, *, excluded: bool, excluded_in_month: bool) -> bool:
    """Whether the exclusion of its unit makes an alert needless."""
    if rule.severity == "exclusion" or rule.muted_by_exclusion == "never":
        return False
    if rule.muted_by_exclusion == "month" and month:
        return excluded_in_month
    return excluded


def quiet_until(alerts: Alerts, now: datetime) -> datetime | None:
    """When the quiet hours end in which it is now; None outside them."""
    local = now.astimezone(LOCAL)
    clock = f"{local:%H:%M}"
    night = alerts.quiet_from > alerts.quiet_to
    if night:
        quiet = clock >= alerts.quiet_from or clock < alerts.quiet_to
    else:
        quiet = alerts.quiet_from <= clock < alerts.quiet_to
    if not quiet:
        return None
    today = local.date()
    tomorrow = night and clock >= alerts.quiet_from
    return at_time(today + timedelta(days=1) if tomorrow else today, alerts.quiet_to)


def next_digest(alerts: Alerts, now: datetime) -> datetime:
    """The next moment at which a digest goes out."""
    today = at_time(local_date(now), alerts.digest_at)
    return today if today > now else today + timedelta(days=1)
