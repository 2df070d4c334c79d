//! Merged configurations, with what images and Features add.

use std::{collections::BTreeMap, fs, path::Path};

use devcontainer::{
    Layer, Merged, Scenario,
    dockerfile::{Arguments, Dockerfile},
    feature::{Place, Resolver},
    merge, metadata, reference,
};
use serde_json::Value;

use crate::{corpus, engine, expected, features::Registry, json, normal, read};

/// The image below the configuration.
fn base_image(folder: &Path, read: &reference::Read) -> Result<String, &'static str> {
    match read.config.scenario() {
        Scenario::Image(image) => Ok(image),
        Scenario::Build(build) => {
            let inside = inside(folder, &read.config.file);
            let dockerfile = folder.join(inside).parent().expect("a folder").join(&build.dockerfile);
            let text = fs::read_to_string(dockerfile).map_err(|_| "its Dockerfile is not in the corpus")?;
            let arguments = Arguments { given: build.args, ..Arguments::default() };
            let image = Dockerfile::parse(&text).base_image(build.target.as_deref(), &arguments);
            image.ok_or("its Dockerfile has no such stage")
        }
        Scenario::Compose(_) => Err("Compose files are not read yet"),
        Scenario::None => Err("it names no image"),
    }
}

/// The path of a file below the folder that has it.
fn inside<'a>(folder: &Path, file: &'a str) -> &'a str {
    let name = folder.file_name().unwrap().to_str().unwrap();
    file.split_once(&format!("/{name}/")).map_or("", |(_, inside)| inside)
}

fn resolver(read: &reference::Read, local: &str) -> Resolver {
    let place = Place { root: local.to_owned(), folder: read.config.folder().to_owned() };
    Resolver::new(&read.config, &Default::default()).at(place)
}

/// Where the folder was when the answers were made.
fn local(folder: &Path, file: &str) -> String {
    let name = folder.file_name().unwrap().to_str().unwrap();
    let (prefix, _) = file.split_once(&format!("/{name}/")).expect("a path in the folder");
    format!("{prefix}/{name}")
}

/// What differs from the answer, in a word; or why nobody can say.
fn compare(folder: &Path, registry: &Registry, answer: &Value) -> Result<Option<String>, &'static str> {
    let read = read(folder, answer).map_err(|_| "it cannot be read")?;
    let local = local(folder, &read.config.file);
    let found = registry.resolve(resolver(&read, &local), &|path| folder.join(inside(folder, path)));
    let features = match found {
        Ok(features) => features,
        Err(error) => return Ok(Some(error.to_string())),
    };
    let temporary = answer["featuresConfiguration"]["dstFolder"].as_str().unwrap_or_default();
    let configuration = match features.as_slice() {
        [] => Value::Null,
        features => reference::features_configuration(features, temporary),
    };
    if normal(&configuration) != expected(answer, "featuresConfiguration") {
        return Ok(Some(format!("featuresConfiguration: {configuration}")));
    }
    let image = base_image(folder, &read)?;
    let mut layers = engine::label_of(&image).map(|label| metadata::read(&label)).unwrap_or_default();
    layers.extend(features.iter().map(devcontainer::feature::Feature::layer));
    let layers = reference::layers_below(&read, &layers).expect("variables");
    let ours = reference::merged_configuration(&read.config, &layers);
    survives_storage(layers.into_iter().chain([Layer::from_config(&read.config)]).collect());
    Ok((normal(&ours) != expected(answer, "mergedConfiguration")).then(|| format!("mergedConfiguration: {ours}")))
}

fn survives_storage(layers: Vec<Layer>) {
    let typed = merge(&layers);
    let text = serde_json::to_string(&typed).expect("JSON");
    assert_eq!(serde_json::from_str::<Merged>(&text).expect("JSON"), typed);
}

/// By the name of a folder, its tier and kind.
fn index() -> BTreeMap<String, String> {
    let root = std::env::var_os("STEADING_CORPUS").unwrap_or_default();
    let text = fs::read_to_string(Path::new(&root).join("index.tsv")).unwrap_or_default();
    let rows = text.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row.len() > 5).map(|row| (row[0].to_owned(), format!("{} {}", row[5], row[4]))).collect()
}

#[test]
fn merges_equal_the_reference() {
    let registry = Registry::open();
    let index = index();
    let mut counts: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let (mut different, mut left) = (Vec::new(), BTreeMap::<&str, usize>::new());
    for folder in corpus() {
        let Some(answer) = json(&folder.join("expected.merged.json")) else { continue };
        let name = folder.file_name().unwrap().to_str().unwrap();
        let with = if answer["featuresConfiguration"].is_null() { "" } else { " with Features" };
        let row = format!("{}{with}", index.get(name).map_or("probe", String::as_str));
        let count = counts.entry(row).or_default();
        match compare(&folder, &registry, &answer) {
            Ok(None) => count[0] += 1,
            Ok(Some(difference)) => {
                count[1] += 1;
                different.push(format!("{name}: {difference}"));
            }
            Err(reason) => {
                count[2] += 1;
                *left.entry(reason).or_default() += 1;
            }
        }
    }
    for (row, [equal, different, left]) in &counts {
        eprintln!("{row}: {equal} equal, {different} different, {left} left out");
    }
    let sum = |at: usize| counts.values().map(|count| count[at]).sum::<usize>();
    eprintln!("merges: {} equal, {} different, {} left out {left:?}", sum(0), sum(1), sum(2));
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn features_that_the_reference_refuses_are_refused() {
    let registry = Registry::open();
    let mut refused = 0;
    for folder in corpus() {
        let Ok(error) = fs::read_to_string(folder.join("expected.merged.error.txt")) else { continue };
        let Some(answer) = json(&folder.join("expected.json")) else { continue };
        if !["Error: ERR: Feature", "Error: Legacy", "Failed to fetch tarball", "Failed to compute Feature"]
            .iter()
            .any(|text| error.contains(text))
        {
            continue;
        }
        let read = read(&folder, &answer).expect("a configuration");
        let local = local(&folder, &read.config.file);
        let found = registry.resolve(resolver(&read, &local), &|path| folder.join(inside(&folder, path)));
        // The file of a release is fetched after the order is known.
        let releases = |features: &[devcontainer::feature::Feature]| {
            features.iter().any(|feature| matches!(feature.reference, devcontainer::feature::Reference::Release(_)))
        };
        assert!(found.as_ref().map_or(true, |features| releases(features)), "{}: {found:?}", folder.display());
        refused += 1;
    }
    eprintln!("{refused} refused");
}
