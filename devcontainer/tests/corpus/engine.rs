//! What the stand-in for a container engine said when the answers were made.

/// The label of an image.
pub fn label_of(image: &str) -> Option<String> {
    let rest = image.strip_prefix("mcr.microsoft.com/")?;
    let name = rest.strip_prefix("vscode/").unwrap_or(rest).strip_prefix("devcontainers/")?;
    let name = name.split([':', '@', '/']).next()?;
    let user = match name {
        "javascript-node" | "typescript-node" => "node",
        "universal" => "codespace",
        _ => "vscode",
    };
    let mut entries = serde_json::json!([
        {"id": "ghcr.io/devcontainers/features/common-utils:2"},
        {"id": "ghcr.io/devcontainers/features/git:1"},
        {"remoteUser": user}
    ]);
    let list = entries.as_array_mut()?;
    if matches!(name, "python" | "anaconda" | "miniconda") {
        list[2]["customizations"] = serde_json::json!({"vscode": {
            "extensions": ["ms-python.python", "ms-python.vscode-pylance"],
            "settings": {"python.defaultInterpreterPath": "/usr/local/bin/python"}
        }});
    }
    if name == "universal" {
        list.push(serde_json::json!({
            "overrideCommand": false, "updateRemoteUserUID": false, "containerUser": "codespace",
            "remoteEnv": {"SHARED": "${containerEnv:PATH}:/x"}, "hostRequirements": {"cpus": 2, "memory": "4gb"}
        }));
        let docker = serde_json::json!({
            "id": "ghcr.io/devcontainers/features/docker-in-docker:2", "privileged": true,
            "entrypoint": "/usr/local/share/docker-init.sh",
            "mounts": [{"source": "dind-var-lib-docker-${devcontainerId}", "target": "/var/lib/docker", "type": "volume"}],
            "capAdd": ["SYS_PTRACE"], "securityOpt": ["seccomp=unconfined"]
        });
        list.insert(1, docker);
    }
    Some(entries.to_string())
}
