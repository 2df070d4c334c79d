use super::*;

fn arguments(given: &[(&str, &str)]) -> Arguments {
    Arguments { given: given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), ..Arguments::default() }
}

fn base(text: &str, target: Option<&str>, given: &[(&str, &str)]) -> Option<String> {
    Dockerfile::parse(text).base_image(target, &arguments(given))
}

fn user(text: &str, target: Option<&str>, given: &[(&str, &str)]) -> Option<String> {
    Dockerfile::parse(text).user(target, &arguments(given))
}

#[test]
fn the_base_image_is_followed_through_stages() {
    let text = "FROM debian AS one\nFROM one AS two\nfrom --platform=linux/amd64 two\nUSER x";
    assert_eq!(base(text, None, &[]).as_deref(), Some("debian"));
    assert_eq!(base("FROM a AS one\nFROM b AS two", Some("one"), &[]).as_deref(), Some("a"));
    assert_eq!(base("FROM a AS one\nFROM b AS two", Some("0"), &[]).as_deref(), Some("a"));
    assert_eq!(base("FROM a", Some("missing"), &[]), None);
    assert_eq!(base("", None, &[]), None);
}

#[test]
fn a_later_stage_is_meant_if_there_is_no_earlier_one() {
    let text = "FROM image1 as s1\nUSER u1\nFROM s3 as s2\nFROM image3 as s3\nUSER u3a\nUSER u3b\nFROM image4 as s4";
    assert_eq!(base(text, Some("s2"), &[]).as_deref(), Some("image3"));
    assert_eq!(user(text, Some("s2"), &[]).as_deref(), Some("u3b"));
}

#[test]
fn a_stage_named_like_its_image_means_the_image() {
    assert_eq!(base("FROM node AS node\nFROM node", None, &[]).as_deref(), Some("node"));
    assert_eq!(base("FROM b AS a\nFROM a AS b", None, &[]).as_deref(), Some("b"));
}

#[test]
fn arguments_choose_the_image() {
    let text = "ARG VARIANT=bookworm\nARG IMAGE=\"debian:${VARIANT}\"\nFROM $IMAGE";
    assert_eq!(base(text, None, &[]).as_deref(), Some("debian:bookworm"));
    assert_eq!(base(text, None, &[("VARIANT", "trixie")]).as_deref(), Some("debian:trixie"));
    assert_eq!(base("FROM a${X:-b}c${Y:+d}", None, &[]).as_deref(), Some("abc"));
    assert_eq!(base("ARG Y\nFROM a${Y:+'d'}", None, &[("Y", "1")]).as_deref(), Some("ad"));
    assert_eq!(base("FROM img-$TARGETARCH", None, &[]).as_deref(), Some("img-amd64"));
    assert_eq!(base("FROM a:$UNDECLARED", None, &[("UNDECLARED", "1")]).as_deref(), Some("a:"));
}

#[test]
fn quotes_around_and_inside_expressions_vanish() {
    let given: &[(&str, &str)] = &[("cloud", "x/")];
    for (from, without, with) in [
        ("${cloud:+\"m/\"}a\"", "a", "m/a"),
        ("\"${cloud:+\"m/\"}a\"", "a", "m/a"),
        ("\"${cloud:-\"m/\"}a\"", "m/a", "x/a"),
        ("${cloud:-\"m/\"}a as label", "m/a", "x/a"),
    ] {
        let text = format!("ARG cloud\nFROM {from}\n");
        assert_eq!(base(&text, None, &[]).as_deref(), Some(without), "{from}");
        assert_eq!(base(&text, None, given).as_deref(), Some(with), "{from}");
    }
}

#[test]
fn the_nearest_argument_or_variable_names_the_user() {
    for (text, expected) in [
        ("FROM a\nENV N=1\nARG N=2\nUSER $N", Some("2")),
        ("FROM a as one\nENV N=1\nARG N=2\nFROM one as two\nUSER $N", Some("1")),
        ("ARG N=1\nFROM a\nUSER $N", Some("1")),
        ("FROM a\nENV N=1\nARG N\nUSER $N", Some("1")),
        ("FROM a\nUSER $N", None),
        ("FROM a\nARG N=1\nENV N=2\nUSER $N", Some("2")),
        ("FROM a\nARG N=1\nENV M=2\nUSER A${N}A${M}A", Some("A1A2A")),
    ] {
        assert_eq!(user(text, None, &[]).as_deref(), expected, "{text}");
    }
}

#[test]
fn the_last_user_counts() {
    assert_eq!(user("FROM a\nUSER one\nUSER two", None, &[]).as_deref(), Some("two"));
    assert_eq!(user("FROM a AS x\nUSER one\nFROM x", None, &[]).as_deref(), Some("one"));
    assert_eq!(user("FROM a", None, &[]), None);
    let text = "ARG NAME=ada\nFROM a\nARG NAME\nENV U=$NAME V=2\nUSER ${U}";
    assert_eq!(user(text, None, &[]).as_deref(), Some("ada"));
    assert_eq!(user(text, None, &[("NAME", "eve")]).as_deref(), Some("eve"));
    let mut with_env = arguments(&[]);
    with_env.base_env.insert("WHO".to_owned(), "img".to_owned());
    assert_eq!(Dockerfile::parse("FROM a\nUSER $WHO").user(None, &with_env).as_deref(), Some("img"));
}

#[test]
fn lines_continue_over_comments_and_empty_lines() {
    let text = "FROM debian \\\n# why\n\n  AS base\nRUN a && \\\n  USER nobody\nENV A b c";
    let read = Dockerfile::parse(text);
    assert_eq!(read.stages[0].name.as_deref(), Some("base"));
    assert_eq!(read.stages[0].instructions, [Instruction::Env("A".into(), "b c".into())]);
    assert_eq!(&text[read.stages[0].from.clone()], "FROM debian \\\n# why\n\n  AS base");
}

#[test]
fn here_documents_are_no_instructions() {
    let text = "FROM a\nRUN <<EOF\nFROM b\nUSER evil\nEOF\nCOPY <<-\"X\" <<Y /\n\tUSER c\n\tX\nUSER d\nY\nRUN echo $((1 << 3)) <<<word\nUSER good";
    assert_eq!(user(text, None, &[]).as_deref(), Some("good"));
    assert_eq!(base(text, None, &[]).as_deref(), Some("a"));
}

#[test]
fn directives_are_read_at_the_top_only() {
    let text = "# syntax=docker/dockerfile:1.4\r\n# escape=`\r\nFROM a `\r\n AS b\r\n# syntax=x\r\n";
    let read = Dockerfile::parse(text);
    assert_eq!((read.syntax.as_deref(), read.escape), (Some("docker/dockerfile:1.4"), '`'));
    assert_eq!(read.stages[0].name.as_deref(), Some("b"));
    assert_eq!(Dockerfile::parse("# a comment\n# syntax=x\nFROM a").syntax, None);
}

#[test]
fn hostile_arguments_come_to_an_end() {
    let mut text = String::from("ARG A0=xxxxxxxx\n");
    for n in 1..200 {
        text.push_str(&format!("ARG A{n}=$A{m}$A{m}\n", m = n - 1));
    }
    text.push_str("FROM $A199\n");
    assert!(base(&text, None, &[]).is_some_and(|image| image.len() <= 5000));
    assert_eq!(base("ARG A=$A\nFROM x$A", None, &[]).as_deref(), Some("x"));
}
