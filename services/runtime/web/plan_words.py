# ruff: noqa: E501 - a row of the table is one line
"""What is wrong with a plan, in the reader's language: the linter and the reader of plan files speak English."""

from collections.abc import Mapping

from contracts.faults import Fault
from services.runtime.web.formats import Lang


def plan_fault(lang: Lang, fault: str) -> str:
    """One fault; what does not come from them is said as it is."""
    return (
        fault.translated(VIETNAMESE)
        if lang == "vi" and isinstance(fault, Fault)
        else str(fault)
    )


VIETNAMESE: Mapping[str, str] = {
    # how sentences are put together
    "{}": "{}",
    "{}: {}": "{}: {}",
    "{}, {}": "{}, {}",
    "{} or {}": "{} hoặc {}",
    "line {}: {}": "dòng {}: {}",
    "{}, line {}, {}": "{}, dòng {}, {}",
    "part {}: {}": "phần {}: {}",
    "award {}: {}": "mức giải {}: {}",
    "exclusion {}: {}": "điều loại trừ {}: {}",
    "alert {}: {}": "cảnh báo {}: {}",
    "alerts: {}": "mục cảnh báo: {}",
    "reporting": "mục báo cáo (reporting)",
    "deadline {}": "thời hạn {}",
    "the plan": "kế hoạch",
    # files
    "no plan file was named": "chưa nêu tệp kế hoạch nào",
    "{}: the folder holds no {} file": "{}: thư mục không có tệp {} nào",
    "{}: the file is not UTF-8 text": "{}: tệp không phải văn bản UTF-8",
    "{}: cannot be read: {}": "{}: không đọc được: {}",
    "{}: is nested too deeply": "{}: lồng quá nhiều cấp",
    "{}: not one of {}": "{}: không phải tệp {}",
    "{}: is given both in {} and in {}": "{}: có cả trong {} và trong {}",
    "{}: found {}, expected keys and values": "{}: gặp {}, cần các khóa và giá trị",
    "{}: found {}, expected {}": "{}: gặp {}, cần {}",
    "{}: is missing; expected {}": "{}: bị thiếu; cần {}",
    "key {!r} is given twice in one object": "khóa {!r} lặp lại trong cùng một đối tượng",
    "key {!r} is given twice, or is not plain text": "khóa {!r} lặp lại, hoặc không phải chữ thường",
    "write the value out, not `*`": "hãy viết hẳn giá trị ra, không dùng `*`",
    "expected id {} and a version above {}": "cần mã kế hoạch {} và phiên bản lớn hơn {}",
    "no such key here": "không có khóa nào như vậy ở đây",
    "no such key; did you mean `{}`?": "không có khóa này; có phải ý là `{}`?",
    "keys {}": "các khóa {}",
    "otherwise ({})": "giá trị khác ({})",
    "nothing": "giá trị rỗng",
    "keys and values": "các khóa và giá trị",
    "a list of {}": "danh sách {} mục",
    "a value here": "một giá trị ở đây",
    "text; write it in quotes": "văn bản; hãy đặt trong dấu nháy",
    "a code of letters, digits, `.`, `_` and `-`": "mã gồm chữ cái, chữ số, `.`, `_` và `-`",
    "some text": "một đoạn chữ",
    "true or false": "true hoặc false",
    "a whole number": "số nguyên",
    "a number": "một con số",
    "at most {} digits": "tối đa {} chữ số",
    "at most {} decimals": "tối đa {} chữ số thập phân",
    "a date such as 2023-06-01": "ngày dạng 2023-06-01",
    "a list": "một danh sách",
    "at least {} entry": "ít nhất {} mục",
    "one of {}": "một trong {}",
    "a `kind:` among its keys": "khóa `kind:`",
    "more than {}": "lớn hơn {}",
    "at least {}": "ít nhất {}",
    "less than {}": "nhỏ hơn {}",
    "at most {}": "không quá {}",
    # dates, codes, units
    "ends_on {} is before starts_on {}": "ngày kết thúc {} trước ngày bắt đầu {}",
    "valid_to {} is before valid_from {}": "hiệu lực đến {} trước hiệu lực từ {}",
    "the version is valid on no day of the competition": "phiên bản không có hiệu lực vào ngày nào của đợt thi đua",
    "unit {} is listed twice": "đơn vị {} lặp lại",
    "bloc {} is defined twice": "khối {} được định nghĩa hai lần",
    "procedure {} is listed twice": "thủ tục {} lặp lại",
    "deadline {} is given twice": "thời hạn {} lặp lại",
    "unit {}: there is no bloc {!r}": "đơn vị {}: không có khối {!r}",
    "unit {}: there is no parent unit {!r}": "đơn vị {}: không có đơn vị cấp trên {!r}",
    "reporting: there is no bloc {!r}": "mục báo cáo (reporting): không có khối {!r}",
    "uncounted_statuses: no dossier is ever {!r}": "uncounted_statuses: không hồ sơ nào có trạng thái {!r}",
    "procedure {}: there is no unit {!r}": "thủ tục {}: không có đơn vị {!r}",
    "procedure {}: its history is not in order of time": "thủ tục {}: lịch sử không theo thứ tự thời gian",
    "cites no clause": "không dẫn điều khoản nào của kế hoạch",
    "{} cites no clause": "{} không dẫn điều khoản nào của kế hoạch",
    # indicators
    "indicator {} is defined twice": "tiêu chí {} được định nghĩa hai lần",
    "points sum to {:g}, the scale is {}": "tổng điểm là {:g}, thang điểm là {}",
    "is tracked only, but carries points": "chỉ để theo dõi mà lại có điểm",
    "carries no points; mark it tracked_only": "không có điểm; hãy đánh dấu tracked_only",
    "part {} is defined twice": "phần {} được định nghĩa hai lần",
    "{} has no date of its own: it cannot be capped": "{} không có ngày riêng nên không đặt được mức trần",
    "checklist item {} is listed twice": "mục {} của danh mục kiểm tra lặp lại",
    "a deduction needs over: to_date": "điểm trừ cần over: to_date",
    "a capped count needs over: pool": "số đếm có mức trần cần over: pool",
    "no procedure of the catalogue is offered at these levels": "không thủ tục nào trong danh mục được cung cấp ở các mức này",
    "counts dossiers of level {!r}, which offered_levels leaves out": "tính cả hồ sơ mức {!r}, trong khi offered_levels không có mức đó",
    "numerator takes every fact: the share would always be 1": "tử số nhận mọi dữ kiện: tỷ lệ lúc nào cũng bằng 1",
    "{}: {} has no field {!r}; it has {}": "{}: {} không có trường {!r}; các trường có: {}",
    "{}.{}: no value is accepted: nothing would count": "{}.{}: không nhận giá trị nào nên sẽ không tính được gì",
    "{}.{}: is never {!r}": "{}.{}: không bao giờ là {!r}",
    "bands leave a gap from 0 to {}": "các bậc điểm bỏ trống từ 0 đến {}",
    "band {} does not come after band {}": "bậc {} không đứng sau bậc {}",
    "band {} gives less than band {}": "bậc {} cho ít điểm hơn bậc {}",
    "the highest band gives {} of the points, not all": "bậc cao nhất chỉ cho {} số điểm, không phải toàn bộ",
    "band {} is above the highest figure there can be, 1": "bậc {} cao hơn giá trị lớn nhất có thể có là 1",
    # blocs
    "judges monthly reports, but is not among reporting.blocs": "chấm báo cáo tháng mà không có trong reporting.blocs",
    "{}: not_for: no unit of the bloc has the trait {!r}": "{}: not_for: không đơn vị nào của khối có đặc điểm {!r}",
    "unit {}: no scored indicator applies to it": "đơn vị {}: không có tiêu chí chấm điểm nào áp dụng",
    "award {} is defined twice": "mức giải {} được định nghĩa hai lần",
    "award {}: no award begins at {}, where its band ends": "mức giải {}: không mức nào bắt đầu từ {}, nơi khoảng điểm này kết thúc",
    "award {} needs more points than {} before it": "mức giải {} đòi nhiều điểm hơn mức {} đứng trước",
    "needs {} of {} points: unreachable": "đòi {} trên {} điểm: không thể đạt",
    "below {} is not above at_least {}": "mức trần {} không cao hơn mức sàn {}",
    "has a prize, but no place": "có giải thưởng mà không có giải nào được xếp",
    "exclusion {} is defined twice": "điều loại trừ {} được định nghĩa hai lần",
    "exclusion {}: cites no clause": "điều loại trừ {}: không dẫn điều khoản nào của kế hoạch",
    "decision item {} is given twice": "nội dung cần quyết định {} lặp lại",
    "decision item {}: there is no indicator {!r}": "nội dung cần quyết định {}: không có tiêu chí {!r}",
    # alerts
    "alert {} is defined twice": "cảnh báo {} được định nghĩa hai lần",
    "`deadline:` belongs to `deadline_due`, and only to it": "`deadline:` chỉ dùng với `deadline_due`, và bắt buộc ở đó",
    "there is no deadline {!r}": "không có thời hạn {!r}",
    "`decisions:` belongs to `item_reviewed`, and only to it": "`decisions:` chỉ dùng với `item_reviewed`, và bắt buộc ở đó",
    "`when:` belongs to {}, and only to them": "`when:` chỉ dùng với {}, và bắt buộc ở đó",
    "`when:` needs either `working_days_before:` or `days_after:`": "`when:` cần `working_days_before:` hoặc `days_after:`",
    "waiting is counted in `days_after:`": "thời gian chờ được tính bằng `days_after:`",
    "{}: nothing fills {{{}}}; there is {}": "{}: không có gì để điền vào {{{}}}; chỉ có {}",
    "work_to {} is not after work_from {}": "giờ làm việc đến {} không sau giờ bắt đầu {}",
    "{} stands twice in the chain": "{} có hai lần trong chuỗi chuyển tiếp",
}
"""English template -> Vietnamese template, with the same parts in the same order."""
