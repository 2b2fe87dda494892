//! One HTML page, with its style and its charts in it.

use crate::chart;
use crate::error::ReportError;
use crate::report::{Cell, Report, Section};

/// Nothing is loaded from anywhere, whatever a name might say.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}\
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.5rem}table{border-collapse:collapse;width:100%}\
th,td{border-bottom:1px solid #ddd;padding:.3rem .6rem;text-align:left;vertical-align:top}\
td.number{text-align:right;font-variant-numeric:tabular-nums}p.note{color:#555}figure{margin:1rem 0}\
svg{max-width:100%;height:auto}@media print{h2{break-after:avoid}table,figure{break-inside:avoid}}";

pub(crate) fn write(report: &Report) -> Result<String, ReportError> {
    let title = escaped(&report.title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n",
        report.language.tag()
    );
    for note in &report.notes {
        page += &format!("<p class=\"note\">{}</p>\n", escaped(note));
    }
    for section in &report.sections {
        page += &format!("<h2>{}</h2>\n", escaped(&section.title));
        for column in &section.charted {
            let caption = escaped(&section.columns[*column]);
            let drawn = chart::bars(section, *column)?;
            page += &format!("<figure>{drawn}<figcaption>{caption}</figcaption></figure>\n");
        }
        table(&mut page, section);
    }
    page += "</body>\n</html>\n";
    Ok(page)
}

fn table(page: &mut String, section: &Section) {
    *page += "<table>\n<thead><tr>";
    for name in &section.columns {
        *page += &format!("<th>{}</th>", escaped(name));
    }
    *page += "</tr></thead>\n<tbody>\n";
    for row in &section.rows {
        *page += "<tr>";
        for cell in row {
            let text = escaped(&cell.text());
            *page += &match cell {
                Cell::Number(_) => format!("<td class=\"number\">{text}</td>"),
                Cell::Text(_) => format!("<td>{text}</td>"),
            };
        }
        *page += "</tr>\n";
    }
    *page += "</tbody>\n</table>\n";
}

/// Text as HTML has it, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            character if character.is_control() => escaped.push(' '),
            character => escaped.push(character),
        }
    }
    escaped
}
