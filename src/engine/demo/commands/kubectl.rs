//! `kubectl`, as far as runbooks use it.

use std::sync::Arc;

use super::super::faults::Mend;
use super::super::layout;
use super::super::scenarios;
use super::super::service::Node;
use super::super::shop::Shop;
use super::table::table;
use super::{Call, Executed};

/// Flags that take the next word as their value.
const FLAGS_WITH_VALUE: [&str; 9] =
    ["-n", "--namespace", "-o", "-l", "--selector", "-c", "--timeout", "--context", "--tail"];

impl Shop {
    pub(super) fn kubectl(&mut self, call: &Call<'_>) -> Executed {
        let (words, inner) = words(call);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["get", "pods" | "pod" | "po", ..] => self.get_pods(call),
            ["get", kind, name] if is_policy(kind) && call.flag(&["-o"]) == Some("yaml") => self.policy_text(name),
            ["get" | "describe", kind, rest @ ..] if is_policy(kind) => self.get_policies(rest.first().copied()),
            ["get", kind, rest @ ..] if is_workload(kind) => self.get_deployments(rest.first().copied()),
            ["get", "events", ..] => Executed::done(["No resources found.".to_owned()], 120),
            ["top", "pods" | "pod", ..] => self.top(call),
            ["exec", target @ ..] => self.on_node(target, |shop, node| shop.in_pod(node, &inner, call)),
            ["rollout", "status", target @ ..] => self.on_node(target, Self::rollout_status),
            ["rollout", "history", target @ ..] => self.on_node(target, Self::rollout_history),
            ["rollout", "undo", kind, name, ..] if is_policy(kind) => self.drop_policy(name, call),
            ["rollout", "undo", target @ ..] => self.on_node(target, |shop, node| shop.rollout_undo(node, call)),
            ["rollout", "restart", target @ ..] => self.on_node(target, |shop, node| shop.rollout_restart(node, call)),
            ["delete", kind, name, ..] if is_policy(kind) => self.drop_policy(name, call),
            ["scale", target @ ..] => self.on_node(target, |shop, node| shop.scale(node, call)),
            ["set", "env", target @ ..] => self.on_node(target, |shop, node| shop.set_env(node, call)),
            _ => Executed::failed(2, &format!("error: the simulated cluster does not know `{}`", words.join(" "))),
        }
    }

    /// Finds the node that `deployment/NAME` or `deployment NAME` means, and does something with it.
    fn on_node(&mut self, target: &[&str], act: impl FnOnce(&mut Self, usize) -> Executed) -> Executed {
        let name = match target {
            [] => return Executed::failed(2, "error: required resource not specified"),
            [kind, name, ..] if is_workload(kind) => name,
            [one, ..] => one,
        };
        match layout::position(name) {
            Some(node) => act(self, node),
            None => {
                Executed::failed(1, &format!("Error from server (NotFound): deployments.apps \"{name}\" not found"))
            }
        }
    }

    fn get_pods(&self, call: &Call<'_>) -> Executed {
        let mut rows = vec![["NAME", "READY", "STATUS", "RESTARTS"].map(str::to_owned).to_vec()];
        for node in self.selected(call) {
            for instance in 0..instances(node) {
                let ready = if node.figures.is_up { "1/1" } else { "0/1" };
                let name = format!("{}-{instance}", node.spec.name);
                rows.push(vec![name, ready.to_owned(), "Running".to_owned(), "0".to_owned()]);
            }
        }
        Executed::done(table(&rows), 210)
    }

    fn get_deployments(&self, wanted: Option<&str>) -> Executed {
        let mut rows = vec![["NAME", "READY", "VERSION", "REVISION"].map(str::to_owned).to_vec()];
        for (position, node) in self.model.nodes.iter().enumerate() {
            if wanted.is_none_or(|name| name == node.spec.name) {
                let replicas = instances(node);
                let ready = if node.figures.is_up { replicas } else { 0 };
                let present = self.deployments.present(position);
                rows.push(vec![
                    node.spec.name.to_owned(),
                    format!("{ready}/{replicas}"),
                    present.version.to_string(),
                    present.number.to_string(),
                ]);
            }
        }
        Executed::done(table(&rows), 190)
    }

    fn get_policies(&self, wanted: Option<&str>) -> Executed {
        let mut rows = vec![["NAME", "POD-SELECTOR", "SINCE"].map(str::to_owned).to_vec()];
        for policy in self.deployments.policies() {
            if wanted.is_none_or(|name| name == policy.name.as_ref()) {
                let since = policy.since.map_or_else(|| "always".to_owned(), |at| format!("{}Z", at.hh_mm_ss()));
                rows.push(vec![policy.name.to_string(), policy.selector.to_string(), since]);
            }
        }
        match wanted {
            Some(name) if rows.len() == 1 => not_found("networkpolicies.networking.k8s.io", name),
            _ => Executed::done(table(&rows), 160),
        }
    }

    fn policy_text(&self, name: &str) -> Executed {
        let Some(policy) = self.deployments.policies().iter().find(|policy| policy.name.as_ref() == name) else {
            return not_found("networkpolicies.networking.k8s.io", name);
        };
        let lines = [
            "apiVersion: networking.k8s.io/v1".to_owned(),
            "kind: NetworkPolicy".to_owned(),
            "metadata:".to_owned(),
            format!("  name: {}", policy.name),
            "  namespace: prod".to_owned(),
            "spec:".to_owned(),
            format!("  podSelector: {{matchLabels: {{{}}}}}", policy.selector.replace('=', ": ")),
            "  policyTypes: [Egress]".to_owned(),
            "  egress: [{ports: [{port: 53, protocol: UDP}, {port: 443}]}]".to_owned(),
        ];
        Executed::done(lines, 170)
    }

    fn top(&self, call: &Call<'_>) -> Executed {
        let mut rows = vec![["NAME", "CPU%", "MEMORY%"].map(str::to_owned).to_vec()];
        for node in self.selected(call) {
            let percent = |share: f64| format!("{:.0}%", share * 100.0);
            for instance in 0..instances(node) {
                let name = format!("{}-{instance}", node.spec.name);
                rows.push(vec![name, percent(node.figures.cpu), percent(node.figures.memory)]);
            }
        }
        Executed::done(table(&rows), 260)
    }

    /// The nodes that a selector such as `app=auth` means; all without one.
    fn selected(&self, call: &Call<'_>) -> Vec<&Node> {
        let wanted = call.flag(&["-l", "--selector"]).and_then(|selector| selector.rsplit('=').next());
        self.model.nodes.iter().filter(|node| wanted.is_none_or(|name| name == node.spec.name)).collect()
    }

    fn rollout_status(&mut self, node: usize) -> Executed {
        let name = layout::NODES[node].name;
        let line = if self.model.nodes[node].figures.is_up {
            format!("deployment \"{name}\" successfully rolled out")
        } else {
            format!("Waiting for deployment \"{name}\" rollout to finish: 0 updated replicas are available...")
        };
        Executed::done([line], 300)
    }

    fn rollout_history(&mut self, node: usize) -> Executed {
        let mut rows = vec![["REVISION", "VERSION", "CHANGE-CAUSE"].map(str::to_owned).to_vec()];
        for revision in self.deployments.history(node) {
            rows.push(vec![revision.number.to_string(), revision.version.to_string(), revision.cause.to_string()]);
        }
        let title = format!("deployment.apps/{}", layout::NODES[node].name);
        Executed::done(std::iter::once(title).chain(table(&rows)), 180)
    }

    fn rollout_undo(&mut self, node: usize, call: &Call<'_>) -> Executed {
        let name = layout::NODES[node].name;
        let Some(before) = self.deployments.before(node) else {
            return Executed::failed(1, &format!("error: no rollout history found for deployment \"{name}\""));
        };
        if call.is_dry_run {
            let line = format!("deployment.apps/{name} would be rolled back to {} (dry run)", before.version);
            return Executed::done([line], 220);
        }
        self.roll_back(node, &before.version, call.now);
        Executed::done([format!("deployment.apps/{name} rolled back to {}", before.version)], 1_400)
    }

    fn rollout_restart(&mut self, node: usize, call: &Call<'_>) -> Executed {
        let name = layout::NODES[node].name;
        if call.is_dry_run {
            return Executed::done([format!("deployment.apps/{name} would be restarted (dry run)")], 200);
        }
        self.mend(&Mend::Restart(node), call.now);
        Executed::done([format!("deployment.apps/{name} restarted")], 1_100)
    }

    fn drop_policy(&mut self, name: &str, call: &Call<'_>) -> Executed {
        let Some(policy) = self.deployments.policies().iter().find(|policy| policy.name.as_ref() == name) else {
            return not_found("networkpolicies.networking.k8s.io", name);
        };
        let name = Arc::clone(&policy.name);
        if call.is_dry_run {
            return Executed::done([format!("networkpolicy.networking.k8s.io \"{name}\" deleted (dry run)")], 150);
        }
        self.deployments.drop_policy(&name);
        if name.as_ref() == scenarios::POLICY {
            self.mend(&Mend::DropPolicy(scenarios::POLICY), call.now);
        }
        Executed::done([format!("networkpolicy.networking.k8s.io \"{name}\" deleted")], 420)
    }

    fn scale(&mut self, node: usize, call: &Call<'_>) -> Executed {
        let name = layout::NODES[node].name;
        let Some(replicas) = call.flag(&["--replicas"]).and_then(|text| text.parse::<u32>().ok()) else {
            return Executed::failed(2, "error: --replicas=COUNT is required");
        };
        if !(1..=50).contains(&replicas) {
            return Executed::failed(1, &format!("error: {replicas} replicas of {name} are outside 1 to 50"));
        }
        let present = instances(&self.model.nodes[node]);
        if call.flag(&["--current-replicas"]).is_some_and(|wanted| wanted != present.to_string()) {
            return Executed::failed(
                1,
                &format!("error: {name} has {present} replicas, which is not what was expected"),
            );
        }
        if call.is_dry_run {
            return Executed::done([format!("deployment.apps/{name} scaled to {replicas} (dry run)")], 150);
        }
        let times = f64::from(replicas) / f64::from(layout::NODES[node].replicas);
        self.mend(&Mend::ScaleOut(node, times), call.now);
        Executed::done([format!("deployment.apps/{name} scaled to {replicas}")], 600)
    }

    fn set_env(&mut self, node: usize, call: &Call<'_>) -> Executed {
        let name = layout::NODES[node].name;
        if call.is_dry_run {
            return Executed::done([format!("deployment.apps/{name} env would be updated (dry run)")], 150);
        }
        self.mend(&Mend::RevertConfig(node), call.now);
        Executed::done([format!("deployment.apps/{name} env updated")], 600)
    }
}

/// The words that are no flags, `kind/name` taken apart; and what stands behind `--`.
fn words<'a>(call: &'a Call<'_>) -> (Vec<String>, Vec<&'a str>) {
    let mut words = Vec::new();
    let mut arguments = call.arguments();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            break;
        } else if FLAGS_WITH_VALUE.contains(&argument) {
            arguments.next();
        } else if !argument.starts_with('-') {
            words.extend(argument.split('/').map(str::to_owned));
        }
    }
    (words, arguments.collect())
}

fn instances(node: &Node) -> u32 {
    (f64::from(node.spec.replicas) * node.scale).round() as u32
}

fn is_policy(kind: &str) -> bool {
    matches!(kind, "networkpolicy" | "networkpolicies" | "netpol")
}

fn is_workload(kind: &str) -> bool {
    matches!(kind, "deployment" | "deployments" | "deploy" | "statefulset" | "statefulsets" | "sts")
}

fn not_found(kind: &str, name: &str) -> Executed {
    Executed::failed(1, &format!("Error from server (NotFound): {kind} \"{name}\" not found"))
}
