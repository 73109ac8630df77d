//! How many hosts a job would work on, asked of the inventory before it is launched.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Awx;

/// Hosts of a group that are told at once; more are known by their number alone.
const PAGE_SIZE: &str = "200";

impl Awx<'_> {
    /// Refuses a limit that stands for more hosts than the step allows, for none, or for nobody knows how many.
    pub(super) async fn check_reach(&self, limit: &str, asks: &Value) -> Result<(), String> {
        let Some(most) = self.attempt.targets_max else { return Ok(()) };
        let cannot = |why: String| format!("its hosts cannot be counted ({why}), so nothing was launched");
        let inventory = asks["defaults"]["inventory"]["id"].as_u64();
        let inventory = inventory.ok_or_else(|| cannot("its template has no inventory of its own".to_owned()))?;
        let (mut names, mut others) = (BTreeSet::new(), 0);
        for part in limit.split([',', ':']) {
            if !part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) || part == "ungrouped" {
                return Err(cannot(format!("`{part}` in its limit is a pattern; name hosts or groups")));
            }
            let (hosts, groups) =
                (format!("/inventories/{inventory}/hosts/"), format!("/inventories/{inventory}/groups/"));
            let named = [("name", part), ("page_size", PAGE_SIZE)];
            let query = if part == "all" { &named[1..] } else { &named[..] };
            others += take(&self.get_json(&hosts, query).await?, &mut names);
            let found = self.get_json(&groups, &named).await?;
            for group in found["results"].as_array().into_iter().flatten().filter_map(|group| group["id"].as_u64()) {
                let members = self.get_json(&format!("/groups/{group}/all_hosts/"), &named[1..]).await?;
                others += take(&members, &mut names);
            }
        }
        let count = names.len() + others;
        if count == 0 {
            return Err(format!("no host of its inventory is named by `{limit}`, so nothing was launched"));
        }
        self.attempt.within(most, count, "hosts")
    }
}

/// Takes the names of a page; says how many there are beside those.
fn take(page: &Value, names: &mut BTreeSet<String>) -> usize {
    let told = page["results"].as_array().map_or(&[][..], Vec::as_slice);
    names.extend(told.iter().map(|one| one["name"].as_str().map_or_else(|| one["id"].to_string(), str::to_owned)));
    let count = page["count"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX / 4);
    count.saturating_sub(told.len())
}
