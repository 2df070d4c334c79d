//! The merge table of the specification, one test per row.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use devcontainer::{
    AppPort, ForwardPort, Gpu, HostRequirements, Layer, LifecycleCommand, Merged, Origin, Scenario, ShutdownAction,
    Stage, UserEnvProbe,
    feature::{Feature, Reference},
    merge, metadata,
};
use serde_json::{Value, json};

const FILE: &str = ".devcontainer/devcontainer.json";

fn file() -> Origin {
    Origin::File(FILE.to_owned())
}

/// An image label with these entries, and a file with these properties on top.
fn merged(image: &[Value], config: Value) -> Merged {
    let mut layers = metadata::read(&Value::from(image).to_string());
    layers.push(Layer { origin: file(), properties: serde_json::from_value(config).unwrap() });
    merge(&layers)
}

#[test]
fn init_is_true_as_soon_as_one_layer_says_so() {
    let both = merged(&[json!({"init": true})], json!({"init": false}));
    assert!(both.init);
    assert_eq!(both.because["init"], [Origin::Image(0)]);
    assert!(!merged(&[json!({"init": false})], json!({})).init);
}

#[test]
fn privileged_is_true_as_soon_as_one_layer_says_so() {
    let feature = merged(&[json!({"id": "docker-in-docker", "privileged": true})], json!({"privileged": false}));
    assert!(feature.privileged);
    assert_eq!(feature.because["privileged"], [Origin::Feature("docker-in-docker".into())]);
}

#[test]
fn cap_add_is_a_union() {
    let both = merged(&[json!({"capAdd": ["A", "B"]})], json!({"capAdd": ["B", "C"]}));
    assert_eq!(both.cap_add, ["A", "B", "C"]);
    assert_eq!(both.because["capAdd"], [Origin::Image(0), file()]);
}

#[test]
fn security_opt_is_a_union() {
    let both =
        merged(&[json!({"securityOpt": ["seccomp=unconfined"]})], json!({"securityOpt": ["seccomp=unconfined", "x"]}));
    assert_eq!(both.security_opt, ["seccomp=unconfined", "x"]);
}

#[test]
fn entrypoints_are_collected_from_images_and_features_only() {
    let both =
        merged(&[json!({"entrypoint": "/a"}), json!({"id": "f", "entrypoint": "/b"})], json!({"entrypoint": "/c"}));
    assert_eq!(both.entrypoints, ["/a", "/b"]);
}

#[test]
fn mounts_are_collected_and_the_last_one_of_a_target_stays() {
    let both = merged(
        &[json!({"mounts": [{"type": "volume", "source": "old", "target": "/a"}, "source=b,target=/b,type=volume"]})],
        json!({"mounts": ["type=bind,src=/new,dst=/a", "target=/c,type=tmpfs"]}),
    );
    let seen: Vec<_> = both.mounts.iter().map(|m| (m.source.as_deref(), m.target.as_str())).collect();
    assert_eq!(seen, [(Some("b"), "/b"), (Some("/new"), "/a"), (None, "/c")]);
}

#[test]
fn customizations_are_a_list_per_tool() {
    let both = merged(
        &[json!({"customizations": {"vscode": {"extensions": ["a"]}, "other": 1}})],
        json!({"customizations": {"vscode": {"settings": {}}}}),
    );
    assert_eq!(both.customizations["vscode"], [json!({"extensions": ["a"]}), json!({"settings": {}})]);
    assert_eq!(both.customizations["other"], [json!(1)]);
}

#[test]
fn lifecycle_commands_are_collected_per_stage_in_order() {
    for stage in Stage::ALL {
        let name = stage.as_str();
        let both = merged(&[json!({"id": "f", name: ["a"]}), json!({name: ""})], json!({name: {"x": "b"}}));
        let commands: Vec<_> = both.commands_of(stage).iter().map(|(origin, _)| origin.clone()).collect();
        assert_eq!(commands, [Origin::Feature("f".into()), file()]);
        assert_eq!(both.because[name], commands);
        assert!(matches!(both.commands_of(stage)[1].1, LifecycleCommand::Parallel(_)));
    }
}

#[test]
fn wait_for_takes_the_last_value() {
    assert_eq!(merged(&[json!({"waitFor": "onCreateCommand"})], json!({})).wait_for, Some(Stage::OnCreate));
    let both = merged(&[json!({"waitFor": "onCreateCommand"})], json!({"waitFor": "postStartCommand"}));
    assert_eq!(both.wait_for, Some(Stage::PostStart));
    assert_eq!(merged(&[], json!({"waitFor": "initializeCommand"})).wait_for, None);
    assert_eq!(merged(&[], json!({"waitFor": "noon"})).wait_for, Some(Stage::UpdateContent));
}

#[test]
fn remote_user_takes_the_last_value() {
    let both = merged(&[json!({"remoteUser": "vscode"})], json!({"remoteUser": "root"}));
    assert_eq!(both.remote_user.as_deref(), Some("root"));
    assert_eq!(both.reason("remoteUser").as_deref(), Some(FILE));
    let image = merged(&[json!({"remoteUser": "vscode"})], json!({"remoteUser": ""}));
    assert_eq!(image.remote_user.as_deref(), Some("vscode"));
}

#[test]
fn container_user_takes_the_last_value() {
    let both = merged(&[json!({"containerUser": "a"}), json!({"containerUser": "b"})], json!({}));
    assert_eq!(both.container_user.as_deref(), Some("b"));
}

#[test]
fn user_env_probe_takes_the_last_value() {
    let both = merged(&[json!({"userEnvProbe": "none"})], json!({"userEnvProbe": "loginShell"}));
    assert_eq!(both.user_env_probe, UserEnvProbe::LoginShell);
    assert_eq!(merged(&[], json!({})).user_env_probe, UserEnvProbe::LoginInteractiveShell);
}

#[test]
fn remote_env_merges_by_variable_and_null_counts() {
    let both = merged(&[json!({"remoteEnv": {"A": "1", "B": "1"}})], json!({"remoteEnv": {"B": null, "C": "2"}}));
    let pairs: Vec<_> = both.remote_env.iter().map(|(k, v)| (k.as_str(), v.as_deref())).collect();
    assert_eq!(pairs, [("A", Some("1")), ("B", None), ("C", Some("2"))]);
}

#[test]
fn container_env_merges_by_variable() {
    let both = merged(&[json!({"containerEnv": {"A": "1", "B": "1"}})], json!({"containerEnv": {"B": "2"}}));
    let pairs: Vec<_> = both.container_env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(pairs, [("A", "1"), ("B", "2")]);
}

#[test]
fn override_command_takes_the_last_boolean() {
    assert_eq!(
        merged(&[json!({"overrideCommand": true})], json!({"overrideCommand": false})).override_command,
        Some(false)
    );
    assert_eq!(
        merged(&[json!({"overrideCommand": false})], json!({"overrideCommand": null})).override_command,
        Some(false)
    );
    assert!(merged(&[], json!({"image": "a"})).overrides_command());
    assert!(!merged(&[], json!({"dockerComposeFile": "c"})).overrides_command());
}

#[test]
fn ports_attributes_merge_by_port() {
    let both = merged(
        &[json!({"portsAttributes": {"1": {"label": "a", "protocol": "https"}, "2": {"label": "b"}}})],
        json!({"portsAttributes": {"1": {"label": "c"}}}),
    );
    assert_eq!(both.ports_attributes["1"].label.as_deref(), Some("c"));
    assert_eq!(both.ports_attributes["1"].protocol, None);
    assert_eq!(both.ports_attributes["2"].label.as_deref(), Some("b"));
}

#[test]
fn other_ports_attributes_take_the_last_value() {
    let both =
        merged(&[json!({"otherPortsAttributes": {"label": "a"}})], json!({"otherPortsAttributes": {"label": "b"}}));
    assert_eq!(both.other_ports_attributes.unwrap().label.as_deref(), Some("b"));
}

#[test]
fn forward_ports_are_a_union_with_localhost_being_the_container() {
    let both = merged(&[json!({"forwardPorts": [3000, "db:5432"]})], json!({"forwardPorts": ["localhost:3000", 8080]}));
    let db = ForwardPort { host: Some("db".into()), port: 5432 };
    assert_eq!(both.forward_ports, [ForwardPort::local(3000), db, ForwardPort::local(8080)]);
}

#[test]
fn shutdown_action_takes_the_last_value() {
    let both = merged(&[json!({"shutdownAction": "stopContainer"})], json!({"shutdownAction": "none"}));
    assert_eq!(both.shutdown_action, Some(ShutdownAction::None));
}

#[test]
fn update_remote_user_uid_takes_the_last_boolean() {
    let both = merged(&[json!({"updateRemoteUserUID": false})], json!({}));
    assert_eq!((both.update_remote_user_uid, both.updates_remote_user_uid()), (Some(false), false));
    assert!(
        merged(&[json!({"updateRemoteUserUID": false})], json!({"updateRemoteUserUID": true}))
            .updates_remote_user_uid()
    );
}

#[test]
fn host_requirements_take_the_largest_of_each() {
    let both = merged(
        &[json!({"hostRequirements": {"cpus": 2, "memory": "4gb", "gpu": "optional"}})],
        json!({"hostRequirements": {"cpus": 8, "memory": "1gb", "storage": "10gb", "gpu": {"cores": 4}}}),
    );
    let largest = HostRequirements {
        cpus: Some(8.0),
        memory: Some(4 << 30),
        storage: Some(10 << 30),
        gpu: Some(Gpu::AtLeast { cores: Some(4.0), memory: None }),
    };
    assert_eq!(both.host_requirements, Some(largest));
    assert_eq!(merged(&[json!({"hostRequirements": {"gpu": false}})], json!({})).host_requirements, None);
}

#[test]
fn what_only_a_file_has_comes_from_the_file() {
    let both = merged(
        &[json!({"name": "image", "runArgs": ["--privileged"], "workspaceFolder": "/image"})],
        json!({
            "name": "file", "image": "debian", "workspaceFolder": "/w", "workspaceMount": null, "runArgs": ["--init"],
            "appPort": [80, "1:2"], "initializeCommand": "host", "secrets": {"TOKEN": {"description": "d"}},
            "features": {"git": {}}, "overrideFeatureInstallOrder": ["git"]
        }),
    );
    assert_eq!((both.name.as_deref(), both.workspace_folder.as_deref()), (Some("file"), Some("/w")));
    assert_eq!(both.scenario, Scenario::Image("debian".into()));
    assert_eq!((both.workspace_mount.as_deref(), both.run_args), (Some(""), vec!["--init".to_owned()]));
    assert_eq!(both.app_port, [AppPort::Number(80), AppPort::Publish("1:2".into())]);
    assert_eq!(both.initialize_command, Some(LifecycleCommand::Shell("host".into())));
    assert_eq!(both.secrets["TOKEN"].description.as_deref(), Some("d"));
    assert_eq!((both.features.len(), both.override_feature_install_order.len()), (1, 1));
    assert_eq!(both.because["runArgs"], [file()]);
}

#[test]
fn features_stand_between_the_image_and_the_file_and_are_named() {
    let said = json!({
        "id": "docker", "privileged": true, "entrypoint": "/init.sh", "mounts": [{"target": "/a", "type": "tmpfs"}],
        "customizations": {"vscode": {"extensions": ["b"]}}, "postCreateCommand": "feature",
        // These are no part of a configuration.
        "containerEnv": {"A": "1"}, "remoteUser": "evil", "runArgs": ["--net=host"]
    });
    let id = "ghcr.io/n/docker:2";
    let feature = Feature {
        id: id.to_owned(),
        reference: Reference::parse(id, &Default::default()).unwrap(),
        digest: None,
        artifact: None,
        manifest: serde_json::from_value(said).unwrap(),
        options: json!({}),
        is_old: false,
    };
    let image = json!([{"customizations": {"vscode": {"extensions": ["a"]}}, "remoteUser": "node", "postCreateCommand": "image"}]);
    let mut layers = metadata::read(&image.to_string());
    layers.push(feature.layer());
    let config =
        json!({"customizations": {"vscode": {"extensions": ["c"]}}, "postCreateCommand": "file", "privileged": false});
    layers.push(Layer { origin: file(), properties: serde_json::from_value(config).unwrap() });
    let all = merge(&layers);
    assert!(all.privileged);
    assert_eq!(all.reason("privileged").as_deref(), Some("Feature ghcr.io/n/docker:2"));
    assert_eq!(all.because["postCreateCommand"], [Origin::Image(0), Origin::Feature(id.to_owned()), file()]);
    assert_eq!((all.entrypoints.as_slice(), all.mounts.len()), (&["/init.sh".to_owned()][..], 1));
    assert_eq!(
        all.customizations["vscode"].iter().map(|said| said["extensions"][0].clone()).collect::<Vec<_>>(),
        ["a", "b", "c"]
    );
    assert_eq!((all.remote_user.as_deref(), all.container_env.len(), all.run_args.len()), (Some("node"), 0, 0));
}

#[test]
fn an_image_cannot_smuggle_in_what_only_a_file_has() {
    let image = merged(&[json!({"runArgs": ["--privileged"], "initializeCommand": "x", "name": "n"})], json!({}));
    assert_eq!((image.run_args.len(), image.initialize_command, image.name), (0, None, None));
}

#[test]
fn no_layers_are_the_default() {
    assert_eq!(merge(&[]), Merged::default());
}
