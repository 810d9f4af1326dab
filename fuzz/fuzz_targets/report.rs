//! The reports of the program, and the pages that are made of them: whatever a report says is text in its page.
#![no_main]

use chainrule_report::RunReport;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(report) = RunReport::read(text) {
        let page = report.to_html();
        let plain = RunReport::new("A training").to_html();
        let scripts = |page: &str| page.matches("<script").count();
        assert_eq!(scripts(&page), scripts(&plain), "no text of a report is markup");
    }
});
