//! Every path of the configuration, so that relative ones can be read from one folder, whatever folder the engine runs in.

use std::path::PathBuf;

use super::{
    AwxSettings, EndpointSettings, EngineSettings, OutboundSettings, PatchSettings, RunbookSettings, SecretSource,
};

/// The paths in these places, where there are any.
type Paths<'s> = Vec<&'s mut PathBuf>;

impl SecretSource {
    fn path(&mut self) -> Option<&mut PathBuf> {
        self.file.as_mut()
    }
}

impl EngineSettings {
    /// Every path that is set.
    pub fn paths_mut(&mut self) -> Paths<'_> {
        let Self {
            prometheus,
            alertmanager,
            receiver,
            log,
            change_file,
            topology: _,
            host,
            detection: _,
            calendar: _,
            correlation: _,
            runbooks,
            outbound,
            policy: _,
            patches,
            ask,
            people: _,
            attach,
            store: _,
        } = self;
        let mut paths: Paths<'_> = vec![&mut host.proc_root];
        for server in prometheus {
            paths.extend([server.bearer.path(), server.password.path(), server.ca_file.as_mut()].into_iter().flatten());
        }
        for server in alertmanager {
            paths.extend([server.bearer.path(), server.password.path(), server.ca_file.as_mut()].into_iter().flatten());
        }
        paths.extend([receiver.bearer.path(), receiver.github_secret.path()].into_iter().flatten());
        paths.extend(log.iter_mut().map(|log| &mut log.path));
        paths.extend(change_file.iter_mut().map(|file| &mut file.path));
        paths.extend(of_runbooks(runbooks));
        paths.extend(of_outbound(outbound));
        paths.extend(of_patches(patches));
        paths.extend([ask.model.key.path(), ask.model.ca_file.as_mut()].into_iter().flatten());
        paths.extend(attach.socket.as_mut());
        paths
    }
}

fn of_runbooks(runbooks: &mut RunbookSettings) -> Paths<'_> {
    // Programs are names or absolute, and say so themselves.
    let RunbookSettings {
        folders,
        allowed_programs: _,
        environment: _,
        observe_only: _,
        ssh,
        ansible,
        awx: AwxSettings { token, ca_file, .. },
        endpoints,
    } = runbooks;
    let mut paths: Paths<'_> = folders.iter_mut().collect();
    paths.extend([ssh.identity_file.as_mut(), ssh.known_hosts.as_mut()].into_iter().flatten());
    paths.extend([ansible.folder.as_mut(), ansible.inventory.as_mut()].into_iter().flatten());
    paths.extend([token.path(), ca_file.as_mut()].into_iter().flatten());
    for EndpointSettings { token, ca_file, .. } in endpoints.values_mut() {
        paths.extend([token.path(), ca_file.as_mut()].into_iter().flatten());
    }
    paths
}

fn of_outbound(outbound: &mut OutboundSettings) -> Paths<'_> {
    let OutboundSettings { update_every: _, update_due: _, servicenow, jira, slack, pagerduty } = outbound;
    let mut paths = Vec::new();
    if let Some(desk) = servicenow {
        paths.extend([desk.password.path(), desk.bearer.path(), desk.ca_file.as_mut()]);
    }
    if let Some(desk) = jira {
        paths.extend([desk.password.path(), desk.bearer.path(), desk.ca_file.as_mut()]);
    }
    if let Some(slack) = slack {
        paths.extend([slack.webhook.path(), slack.ca_file.as_mut()]);
    }
    if let Some(pagerduty) = pagerduty {
        paths.extend([pagerduty.routing_key.path(), pagerduty.ca_file.as_mut()]);
    }
    paths.into_iter().flatten().collect()
}

fn of_patches(patches: &mut PatchSettings) -> Paths<'_> {
    let mut paths: Paths<'_> = patches.inventory.folders.iter_mut().collect();
    paths.extend(patches.feeds.nvd.api_key.path());
    paths
}
