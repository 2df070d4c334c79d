//! The container engine as an operator sees it, through its own command line.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

/// The label that every object of an installation bears.
const LABEL: &str = "dev.steading/installation";

/// Runs `docker` and returns what it printed.
pub fn docker(args: &[&str]) -> Result<String> {
    command("docker", args)
}

/// The same with another program.
pub fn command(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).output().with_context(|| format!("{program} cannot be run"))?;
    if !output.status.success() {
        bail!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The host's address on the engine's own network: what is published there, containers of any network reach,
/// if the host lets them in.
pub fn bridge() -> Result<String> {
    docker(&["network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", "bridge"])
}

/// Whether an engine answers at all.
#[must_use]
pub fn answers() -> bool {
    docker(&["version", "--format", "{{.Server.Version}}"]).is_ok()
}

/// The filter for everything of one workspace.
#[must_use]
pub fn of(workspace: &str) -> String {
    format!("label=dev.steading/workspace={workspace}")
}

/// Containers of an installation, running or not, by name.
pub fn containers(installation: &str) -> Result<Vec<String>> {
    names(&["ps", "--all", "--filter", &format!("label={LABEL}={installation}"), "--format", "{{.Names}}"])
}

/// Volumes of an installation's workspaces, by name. Tools are the installation's, not a workspace's.
pub fn volumes(installation: &str) -> Result<Vec<String>> {
    let label = format!("label={LABEL}={installation}");
    let all = names(&["volume", "ls", "--filter", &label, "--format", "{{.Name}}"])?;
    Ok(all.into_iter().filter(|name| !name.contains("-tools-")).collect())
}

fn names(args: &[&str]) -> Result<Vec<String>> {
    Ok(docker(args)?.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect())
}

/// Removes everything of an installation. Errors are ignored: it is the last thing a world does.
pub fn remove_all(installation: &str) {
    let label = format!("label={LABEL}={installation}");
    let each = |list: &[&str], remove: &[&str]| {
        for name in names(list).unwrap_or_default() {
            let args: Vec<&str> = remove.iter().copied().chain([name.as_str()]).collect();
            let _ = docker(&args);
        }
    };
    each(&["ps", "--all", "--quiet", "--filter", &label], &["rm", "--force", "--volumes"]);
    each(&["volume", "ls", "--quiet", "--filter", &label], &["volume", "rm", "--force"]);
    each(&["network", "ls", "--quiet", "--filter", &label], &["network", "rm"]);
    // By name, because what two installations build alike is one image.
    let named = format!("reference=steading-{installation}/*");
    each(&["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", &named], &["image", "rm"]);
    // Its firewall rules and its bridge's own port, which the engine knows nothing of.
    let (chain, bridge, sink) =
        (format!("STEADING-{installation}"), format!("st-{installation}"), format!("sk-{installation}"));
    for words in [
        vec!["iptables", "-w", "5", "-D", "INPUT", "-i", &bridge, "-j", &chain],
        vec!["iptables", "-w", "5", "-F", &chain],
        vec!["iptables", "-w", "5", "-X", &chain],
        vec!["ip", "link", "del", &sink],
    ] {
        let _ = Command::new(words[0]).args(&words[1..]).output();
    }
}
