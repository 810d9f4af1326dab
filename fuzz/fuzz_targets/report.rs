//! The reports of the program, and the pages that are made of them: whatever a report says is text in its page.
#![no_main]

use chainrule_report::RunReport;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(report) = RunReport::read(text) {
        let page = report.to_html();
        let count = |text| page.matches(text).count();
        // One that runs, and the data of each chart.
        let expected = count("<script>") == 1 && count("<script") == 1 + count("<script type=\"application/json\" id=\"");
        assert!(expected && count("<script") == count("</script"), "no text of a report is markup");
    }
});
