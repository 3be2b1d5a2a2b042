"""The linter of alerts, every alert in both languages, and the stages that only decide."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from contracts.alert_lint import BLANKS
from contracts.plan import AlertRule, Plan, Text, When
from contracts.plan_lint import lint
from services.notifier.contacts import read_contacts
from services.notifier.domain.happenings import of_plan_change
from services.notifier.domain.picture import Picture
from services.notifier.domain.reasons import Withdrawn
from services.notifier.pipeline.compose import Composer, Item, Signer
from services.notifier.pipeline.group import Letter, grouped, message_id, over_budget
from services.notifier.pipeline.mute import mutes, next_digest, quiet_until, silenced_by
from services.notifier.pipeline.route import Contact, Directory
from services.notifier.reading import part_of
from services.notifier.samples import sample_occasion
from services.notifier.settings import NotifierSettings
from services.notifier.wording import Wording, rule_in_words, withdrawn_in_words
from services.runtime.web import i18n
from services.runtime.web.formats import Lang
from services.runtime.web.site import HERE
from tests.support.notifying import ALERTS, PLAN, local, read

RULES = {rule.code: rule for rule in ALERTS.rules}
WORDS = i18n.load([HERE / "locale", Path(__file__).parents[2] / "services/notifier/locale"])
each = pytest.mark.parametrize("code", RULES)


def with_rule(**changes: object) -> Plan:
    """The plan with one rule changed."""
    rule = RULES["report-missed"].model_copy(update=changes)
    alerts = ALERTS.model_copy(update={"rules": [rule]})
    return PLAN.model_copy(update={"alerts": alerts})


def test_the_reference_plan_watches_everything_that_can_be_watched() -> None:
    assert lint(PLAN) == []
    assert {rule.watch for rule in RULES.values()} == set(BLANKS)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"title": Text(vi="{nonsense}", en="x")}, "title: nothing fills {nonsense}"),
        ({"todo": Text(vi="x", en="{points}")}, "todo: nothing fills {points}"),
        ({"when": None}, "`when:` belongs to"),
        ({"when": When(working_days_before=1, days_after=1)}, "needs either"),
        ({"when": When()}, "needs either"),
        ({"deadline": "award-dossier"}, "`deadline:` belongs to `deadline_due`"),
        ({"decisions": ["returned"]}, "`decisions:` belongs to `item_reviewed`"),
        ({"clause": " "}, "cites no clause"),
        ({"watch": "deadline_due", "deadline": "never"}, "there is no deadline 'never'"),
        ({"watch": "review_waiting", "when": When(working_days_before=1)}, "counted in"),
        ({"watch": "threshold_up"}, "`when:` belongs to"),
    ],
)
def test_the_linter_refuses_what_would_never_be_told_or_cannot_be_said(
    changes: dict[str, object], fault: str
) -> None:
    assert lint(with_rule()) == []
    found = lint(with_rule(**changes))
    assert any(fault in line and "report-missed" in line for line in found), found


def test_the_linter_refuses_rules_given_twice_and_hours_that_end_before_they_begin() -> None:
    rule = RULES["report-missed"]
    twice = ALERTS.model_copy(
        update={"rules": [rule, rule], "work_to": "06:00", "chain": ["head", "head"]}
    )
    found = lint(PLAN.model_copy(update={"alerts": twice}))
    assert "alert report-missed is defined twice" in found
    assert any("work_to 06:00" in line for line in found)
    assert any("head stands twice" in line for line in found)


@each
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_every_alert_is_a_whole_mail_in_both_languages(code: str, lang: Lang) -> None:
    occasion = sample_occasion(PLAN, RULES[code], local("2023-07-20"))
    wording = Wording(PLAN, WORDS[lang])
    alert = wording.alert(RULES[code], occasion)
    for text in (alert.title, alert.fact, alert.todo):
        assert text
        assert "{" not in text
        assert "  " not in text
        assert " ." not in text
    composer = Composer(NotifierSettings(mail_from="thi-dua@example.invalid"), WORDS)
    contact = Contact("c", "Người nhận", "c@example.invalid", "head", (), lang)
    notice = {"_id": code, "severity": RULES[code].severity}
    letter = Letter("p", digest=False, notices=[notice])
    item = Item(alert, "alert", "http://x/link", "http://x/ack")
    mail = read(composer.write(letter, contact, [item], wording.about()).as_bytes())
    assert mail["Subject"] == f"[Thi đua] {alert.title}"
    assert mail["List-Id"] == "Thi Dua <thi-dua.example.invalid>"
    assert mail["Auto-Submitted"] == "auto-generated"
    plain, html = part_of(mail, "plain"), part_of(mail, "html")
    for part in (alert.fact, alert.todo, alert.clause, "http://x/link", "http://x/ack"):
        assert part in plain
    assert "http://x/link" in html
    assert "<script" not in html
    assert "<img" not in html
    assert max(map(len, mail.as_bytes().splitlines())) <= 998


def test_the_words_of_an_alert_are_exact() -> None:
    occasion = {
        "_id": "x", "unit": "31399", "month": "", "at": local("2023-09-12"),
        "blanks": {"points": 1_799_960, "threshold": 1_800_000, "bloc": "commune"},
    }  # fmt: skip
    vi = Wording(PLAN, WORDS["vi"]).alert(RULES["threshold-down"], occasion)
    assert vi.title == "Xã Tân Bình: xuống dưới mốc 180,00 điểm"
    assert vi.fact.startswith("Tổng điểm của đơn vị còn 179,99, dưới mốc 180,00")
    en = Wording(PLAN, WORDS["en"]).alert(RULES["threshold-down"], occasion)
    assert en.title == "Tân Bình Commune: has fallen below 180.00 points"


@pytest.mark.parametrize(
    ("code", "role", "path"),
    [
        ("report-late-2", "head", "/submit/phung-hiep-2023/31393/2023-07"),
        ("report-excluded", "officer", "/submit/phung-hiep-2023/31393/2023-07"),
        ("report-excluded", "standing", "/units/phung-hiep-2023/31393?period=2023-07"),
        ("overdue-near", "council", "/units/phung-hiep-2023/31393?period=2023-07"),
        ("due-moved", "officer", "/submit/phung-hiep-2023/31393/2023-07"),
        ("award-dossier-soon", "head", "/packages/dossiers/phung-hiep-2023/2023"),
        ("review-waiting", "standing", "/review"),
        ("appeal-overdue", "standing", "/review/appeals"),
        ("package-ready", "chair", "/packages"),
        ("plan-changed", "head", "/plans/phung-hiep-2023"),
    ],
)
def test_the_link_leads_to_where_its_reader_acts(code: str, role: str, path: str) -> None:
    occasion = sample_occasion(PLAN, RULES[code], local("2023-07-20"))
    assert Wording(PLAN, WORDS["vi"]).alert(RULES[code], occasion, role).path == path


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_kinds_of_alerts_can_be_told_apart_in_a_list(lang: Lang) -> None:
    names = [rule_in_words(rule, WORDS[lang]) for rule in RULES.values()]
    assert len(set(names)) == len(names)
    assert not [name for name in names if "{" in name]


def test_why_an_alert_holds_no_more_is_said_in_both_languages() -> None:
    told = {lang: {w: withdrawn_in_words(w, WORDS[lang]) for w in Withdrawn} for lang in WORDS}
    for lang, sentences in told.items():
        assert len(set(sentences.values())) == len(Withdrawn), lang
    assert not set(told["vi"].values()) & set(told["en"].values())


def test_a_name_with_markup_stays_text_in_the_html() -> None:
    occasion = sample_occasion(PLAN, RULES["item-returned"], local("2023-07-20"))
    occasion["blanks"]["reason"] = "<b>thiếu</b> & {unit}"
    alert = Wording(PLAN, WORDS["vi"]).alert(RULES["item-returned"], occasion)
    assert "<b>thiếu</b> & {unit}" in alert.fact
    contact = Contact("c", 'A "B" <x>', "c@example.invalid", "head", ())
    letter = Letter("p", digest=False, notices=[{"_id": "n", "severity": "warning"}])
    composer = Composer(NotifierSettings(), WORDS)
    mail = read(
        composer.write(letter, contact, [Item(alert, "alert", "/", "")], ("", "")).as_bytes()
    )
    assert "&lt;b&gt;thiếu&lt;/b&gt; &amp;" in part_of(mail, "html")
    assert mail["To"].addresses[0].addr_spec == "c@example.invalid"


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        (("2023-07-10", "19:59"), None),
        (("2023-07-10", "20:00"), ("2023-07-11", "06:30")),
        (("2023-07-11", "00:10"), ("2023-07-11", "06:30")),
        (("2023-07-11", "06:29"), ("2023-07-11", "06:30")),
        (("2023-07-11", "06:30"), None),
    ],
)
def test_quiet_hours_end_in_the_morning(
    moment: tuple[str, str], until: tuple[str, str] | None
) -> None:
    found = quiet_until(ALERTS, local(*moment))
    assert found == (None if until is None else local(*until))


def test_quiet_hours_may_lie_within_a_day() -> None:
    noon = ALERTS.model_copy(update={"quiet_from": "11:00", "quiet_to": "13:00"})
    assert quiet_until(noon, local("2023-07-10", "10:59")) is None
    assert quiet_until(noon, local("2023-07-10", "11:00")) == local("2023-07-10", "13:00")
    assert quiet_until(noon, local("2023-07-10", "13:00")) is None


def test_the_digest_goes_out_once_a_day() -> None:
    assert next_digest(ALERTS, local("2023-07-10", "16:29")) == local("2023-07-10", "16:30")
    assert next_digest(ALERTS, local("2023-07-10", "16:30")) == local("2023-07-11", "16:30")


def test_an_exclusion_mutes_lower_alerts_and_never_itself() -> None:
    near, gone, soon = (
        RULES[c] for c in ("overdue-near", "overdue-excluded", "report-due-soon")
    )
    place = RULES["place-left"]

    def muted(rule: AlertRule, month: str, *, any_month: bool, this_month: bool) -> bool:
        return mutes(rule, month, excluded=any_month, excluded_in_month=this_month)

    assert muted(near, "2023-07", any_month=True, this_month=True)
    assert not muted(near, "2023-07", any_month=True, this_month=False)
    assert muted(place, "", any_month=True, this_month=False)
    assert not muted(place, "", any_month=False, this_month=False)
    assert not muted(gone, "2023-07", any_month=True, this_month=True)
    assert not muted(soon, "2023-07", any_month=True, this_month=True)


def test_a_silence_covers_a_unit_a_rule_or_both() -> None:
    silences = [{"unit": "31399", "rule": ""}, {"unit": "31402", "rule": "report-missed"}]
    assert silenced_by(silences, "31399", "anything") is silences[0]
    assert silenced_by(silences, "31402", "report-missed") is silences[1]
    assert silenced_by(silences, "31402", "report-late-1") is None
    assert silenced_by(silences, "31405", "report-missed") is None


def notice(
    number: str, person: str = "p", severity: str = "warning", **more: object
) -> dict[str, object]:
    return {
        "_id": number, "person": person, "severity": severity, "digest": False,
        "at": local("2023-07-10"), **more,
    }  # fmt: skip


def test_what_one_person_is_told_at_once_is_one_mail_gravest_first() -> None:
    letters = grouped(
        [notice("a"), notice("b", severity="exclusion"), notice("c", "q"), notice("d", digest=True),
         notice("e", reply_to="<m>")]
    )  # fmt: skip
    found = {(x.person, x.digest, x.reply_to): [n["_id"] for n in x.notices] for x in letters}
    assert found == {
        ("p", False, ""): ["b", "a"], ("q", False, ""): ["c"],
        ("p", True, ""): ["d"], ("p", False, "<m>"): ["e"],
    }  # fmt: skip
    assert letters[0].severity == "exclusion"


def test_very_many_alerts_make_several_mails() -> None:
    letters = grouped([notice(f"n{n:03}") for n in range(130)])
    assert [len(letter.notices) for letter in letters] == [60, 60, 10]


def test_the_budget_holds_back_all_but_exclusions_digests_and_follow_ups() -> None:
    warning, exclusion = notice("a"), notice("b", severity="exclusion")
    assert not over_budget(Letter("p", digest=False, notices=[warning]), 4, 5)
    assert over_budget(Letter("p", digest=False, notices=[warning]), 5, 5)
    assert not over_budget(Letter("p", digest=False, notices=[warning, exclusion]), 5, 5)
    assert not over_budget(Letter("p", digest=True, notices=[warning]), 5, 5)
    assert not over_budget(Letter("p", digest=False, reply_to="<m>", notices=[warning]), 5, 5)


def test_the_message_id_depends_on_person_and_notices_alone() -> None:
    one, two = notice("a"), notice("b")
    first = message_id(Letter("p", digest=False, notices=[one, two]), "x.vn")
    assert first == message_id(Letter("p", digest=True, notices=[two, one]), "x.vn")
    assert first != message_id(Letter("q", digest=False, notices=[one, two]), "x.vn")
    assert first != message_id(Letter("p", digest=False, notices=[one]), "x.vn")


def test_links_of_mails_cannot_be_made_by_others() -> None:
    signer = Signer("secret")
    link = signer.sign("occasion|person|alert")
    assert signer.read(link) == "occasion|person|alert"
    assert signer.read(link[:-1] + ("A" if link[-1] != "A" else "B")) is None
    assert Signer("another").read(link) is None


def contact(code: str, role: str, *units: str, **more: object) -> Contact:
    fields = {"name": code, "email": f"{code}@x.vn", "role": role, "units": units}
    return Contact(code, **(fields | more))  # type: ignore[arg-type]


def test_an_alert_goes_to_the_roles_of_its_unit_each_person_once() -> None:
    people = Directory(
        [contact("o", "officer", "31399"), contact("h", "head", "31399", email="O@x.vn "),
         contact("other", "officer", "31402"), contact("council", "council"),
         contact("picky", "head", "31399", alerts=("report-missed",))]
    )  # fmt: skip
    rule = RULES["dossier-overdue"]
    assert [c.code for c in people.recipients(PLAN, rule, "31399")] == ["o", "council"]
    missed = RULES["report-missed"]
    assert [c.code for c in people.recipients(PLAN, missed, "31399")] == ["o", "picky"]
    assert [c.code for c in people.recipients(PLAN, missed, "31405")] == []


def test_a_unit_without_a_mailbox_is_told_through_its_parent() -> None:
    people = Directory([contact("h", "head", "31399")])
    rule = RULES["threshold-up"]
    assert [c.code for c in people.recipients(PLAN, rule, "31399-H1")] == ["h"]
    assert people.recipients(PLAN, rule, "31402-H1") == []


GOOD = "code,name,email,role,units,language,alerts\no,Lan,o@x.vn,officer,31399 31402,en,report-missed\n"


def read_rows(tmp_path: Path, text: str) -> tuple[list[Contact], list[str]]:
    file = tmp_path / "contacts.csv"
    file.write_bytes(text.encode())
    units, alerts = (u.code for u in PLAN.units), RULES
    contacts, faults = read_contacts(file, units, alerts)
    return contacts, [str(fault) for fault in faults]


def test_contacts_are_read_from_csv_as_offices_save_it(tmp_path: Path) -> None:
    contacts, faults = read_rows(tmp_path, GOOD)
    assert faults == []
    (one,) = contacts
    assert (one.units, one.lang, one.alerts) == (("31399", "31402"), "en", ("report-missed",))
    excel = "\ufeff" + GOOD.replace(",", ";").replace("\n", "\r\n")
    assert read_rows(tmp_path, excel) == (contacts, [])


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (",A,a@x.vn,head,31399", "row 3, code: a code of letters"),
        ("o,A,a@x.vn,head,31399", "row 3, code: o stands in an earlier row"),
        ("a,,a@x.vn,head,31399", "row 3, name: is empty"),
        ("a,A,a@x,head,31399", "row 3, email: is no mail address"),
        ('a,A,"a@x.vn, b@x.vn",head,31399', "row 3, email: is no mail address"),
        ("a,A,a@x.vn,boss,31399", "row 3, role: must be one of"),
        ("a,A,a@x.vn,head,", "row 3, units: a contact with the role head needs a unit"),
        ("a,A,a@x.vn,head,99999", "row 3, units: no published plan has the unit '99999'"),
        ("a,A,a@x.vn,head,31399,,nothing", "row 3, alerts: no published plan has the alert"),
    ],
)
def test_what_is_wrong_with_a_row_is_said_with_row_and_field(
    tmp_path: Path, row: str, fault: str
) -> None:
    _, faults = read_rows(tmp_path, GOOD + row + "\n")
    assert [fault in line for line in faults] == [True], faults


def test_a_file_without_its_columns_is_refused_as_a_whole(tmp_path: Path) -> None:
    assert read_rows(tmp_path, "code,name,mail\n")[1] == [
        "row 1, email: this column is missing",
        "row 1, role: this column is missing",
        "row 1, mail: no such column; there are code, name, email, role, units, language, alerts, channel",
    ]
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in str(read_contacts(tmp_path / "x.csv", [], [])[1][0])


def test_a_new_version_tells_each_unit_what_it_moves_for_it() -> None:
    commune = PLAN.blocs[0]
    higher = [
        award.model_copy(update={"at_least": Decimal(181)}) if award.code == "first" else award
        for award in commune.awards
    ]
    changed = PLAN.model_copy(
        update={
            "version": 2,
            "blocs": [commune.model_copy(update={"awards": higher}), *PLAN.blocs[1:]],
        }
    )
    picture = Picture()
    picture.publish(PLAN)
    picture.publish(changed)
    found = [*of_plan_change(picture, PLAN, changed, local("2023-08-01"))]
    assert {o.unit for o in found} == {unit.code for unit in PLAN.units_of("commune")}
    assert found[0].blanks["changes"] == ["award:first:1800000:1810000"]
    words = Wording(changed, WORDS["vi"])
    stored = {
        "_id": "x", "unit": found[0].unit, "month": "", "at": found[0].at,
        "blanks": dict(found[0].blanks),
    }  # fmt: skip
    alert = words.alert(RULES["plan-changed"], stored)
    assert "Giải Nhất: từ 180,00 thành 181,00 điểm" in alert.fact
    assert date(2023, 8, 1) == found[0].at.date()
