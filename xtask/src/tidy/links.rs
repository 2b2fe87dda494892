//! Links in Markdown files: what they point to in the repository exists.

use pulldown_cmark::{Event, Parser, Tag};

use super::{Finding, Repo};

/// Every link and image with a relative target names a file or folder of the repository. Links to the web and to a
/// heading of the same page are not checked.
pub(crate) fn relative(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in repo.files.iter().filter(|file| file.extension() == "md") {
        let text = file.text().unwrap_or_default();
        for (event, range) in Parser::new(text).into_offset_iter() {
            let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event
            else {
                continue;
            };
            let Some(target) = local(&dest_url) else {
                continue;
            };
            if resolve(&file.path, target).is_none_or(|path| !repo.has(&path)) {
                let line = text[..range.start].matches('\n').count() + 1;
                findings.push(Finding {
                    place: format!("{}:{line}", file.path),
                    problem: format!("links to `{target}`, which is not in the repository"),
                    remedy: "correct the link (relative to this file) or add the file",
                });
            }
        }
    }
    findings
}

/// The path a link names, without query and fragment; none for the web, mail and this page.
fn local(url: &str) -> Option<&str> {
    let path = url.split(['#', '?']).next().unwrap_or_default();
    let has_scheme = url.contains("://") || url.starts_with("mailto:");
    (!path.is_empty() && !has_scheme).then_some(path)
}

/// The path from the root for a `target` named in the file `from`; none when it leaves the repository or is absolute.
fn resolve(from: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<String> {
        let repo = Repo::of(&[("docs/a.md", text), ("docs/b.md", ""), ("src/lib.rs", "")]);
        relative(&repo)
            .into_iter()
            .map(|finding| finding.to_string())
            .collect()
    }

    #[test]
    fn good_links_pass() {
        let text = "[b](b.md#part) [l](../src/lib.rs) [f](../src/) [r](..) [w](https://example.com/x) [h](#here)\n\
                    ![i](./b.md)\n\n`[code](nowhere.md)`\n\n```\n[block](nowhere.md)\n```\n";
        assert_eq!(broken(text), Vec::<String>::new());
    }

    #[test]
    fn broken_links_are_found_with_their_line() {
        for target in ["c.md", "/docs/b.md", "../../b.md", "b.md/c", "../lib.rs"] {
            let found = broken(&format!("first\n\n[x]({target})\n"));
            assert_eq!(found.len(), 1, "{target}");
            assert!(
                found[0].starts_with(&format!("docs/a.md:3: links to `{target}`")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn images_and_reference_links_count() {
        assert_eq!(
            broken("![x](none.png)\n\n[y][z]\n\n[z]: none.md\n").len(),
            2
        );
    }
}
