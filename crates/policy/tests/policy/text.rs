//! Policy files from numbers.

pub(crate) fn toml(limits: [u64; 4]) -> String {
    with("x", limits, "", "")
}

/// The tables `cell` and `table`, with further lines in each.
pub(crate) fn with(
    name: &str,
    [units, rows, cells, bytes]: [u64; 4],
    cell: &str,
    table: &str,
) -> String {
    format!(
        "name = \"{name}\"\n[cell]\nunits_min = {units}\nrows_min = {rows}\n{cell}[table]\ncells_max = {cells}\n\
         bytes_max = {bytes}\n{table}"
    )
}

/// The two tables on contributions, as a file would have them. Shares and ratio in parts per 10,000.
pub(crate) fn contribution_limits(shares: [Option<u64>; 3], ratio: u64, zeros: bool) -> String {
    let number = |parts: u64| format!("{}.{:04}", parts / 10_000, parts % 10_000);
    let shares: String = shares
        .iter()
        .zip(1..)
        .filter_map(|(share, n)| Some(format!("top{n}_share_max = {}\n", number((*share)?))))
        .collect();
    format!(
        "[dominance]\n{shares}[p_ratio]\nratio_min = {}\nzeros_are_disclosive = {zeros}\n",
        number(ratio)
    )
}
