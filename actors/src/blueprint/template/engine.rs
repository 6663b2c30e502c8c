//! The one template environment: which filters, tests and functions exist.
//!
//! Owns the list. Left out on purpose: filters that pad or repeat without bound (`indent`, `format`, `batch`,
//! `slice`), HTML escaping, and everything that loads another template. Immutable once made.

use std::sync::LazyLock;

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, filters, functions, tests};

use super::{FUEL, MAX_TEXT_BYTES};

/// Filters, by name.
pub(super) const FILTERS: [&str; 39] = [
    "abs",
    "attr",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "groupby",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];

/// Tests after `is`, by name.
pub(super) const TESTS: [&str; 27] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "even",
    "false",
    "float",
    "ge",
    "gt",
    "in",
    "int",
    "integer",
    "iterable",
    "le",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "sequence",
    "startingwith",
    "string",
    "true",
    "undefined",
];

/// Functions, by name.
pub(super) const FUNCTIONS: [&str; 1] = ["range"];

/// The environment that every program runs in.
pub(super) static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(64);
    engine.add_function("range", functions::range);
    add_text_filters(&mut engine);
    add_list_filters(&mut engine);
    add_tests(&mut engine);
    engine
});

fn add_text_filters(engine: &mut Environment<'static>) {
    engine.add_filter("abs", filters::abs);
    engine.add_filter("bool", filters::bool);
    engine.add_filter("capitalize", filters::capitalize);
    engine.add_filter("d", default);
    engine.add_filter("default", default);
    engine.add_filter("float", filters::float);
    engine.add_filter("int", filters::int);
    engine.add_filter("lines", filters::lines);
    engine.add_filter("lower", filters::lower);
    engine.add_filter("replace", replace);
    engine.add_filter("round", filters::round);
    engine.add_filter("split", filters::split);
    engine.add_filter("string", filters::string);
    engine.add_filter("title", filters::title);
    engine.add_filter("tojson", tojson);
    engine.add_filter("trim", filters::trim);
    engine.add_filter("upper", filters::upper);
}

fn add_list_filters(engine: &mut Environment<'static>) {
    engine.add_filter("attr", filters::attr);
    engine.add_filter("count", filters::length);
    engine.add_filter("dictsort", filters::dictsort);
    engine.add_filter("first", filters::first);
    engine.add_filter("groupby", filters::groupby);
    engine.add_filter("items", filters::items);
    engine.add_filter("join", join);
    engine.add_filter("last", filters::last);
    engine.add_filter("length", filters::length);
    engine.add_filter("list", filters::list);
    engine.add_filter("map", filters::map);
    engine.add_filter("max", filters::max);
    engine.add_filter("min", filters::min);
    engine.add_filter("reject", filters::reject);
    engine.add_filter("rejectattr", filters::rejectattr);
    engine.add_filter("reverse", filters::reverse);
    engine.add_filter("select", filters::select);
    engine.add_filter("selectattr", filters::selectattr);
    engine.add_filter("sort", filters::sort);
    engine.add_filter("sum", filters::sum);
    engine.add_filter("unique", filters::unique);
    engine.add_filter("zip", filters::zip);
}

fn add_tests(engine: &mut Environment<'static>) {
    engine.add_test("boolean", tests::is_boolean);
    engine.add_test("defined", tests::is_defined);
    engine.add_test("divisibleby", tests::is_divisibleby);
    engine.add_test("endingwith", tests::is_endingwith);
    engine.add_test("eq", tests::is_eq);
    engine.add_test("even", tests::is_even);
    engine.add_test("false", tests::is_false);
    engine.add_test("float", tests::is_float);
    engine.add_test("ge", tests::is_ge);
    engine.add_test("gt", tests::is_gt);
    engine.add_test("in", tests::is_in);
    engine.add_test("int", tests::is_integer);
    engine.add_test("integer", tests::is_integer);
    engine.add_test("iterable", tests::is_iterable);
    engine.add_test("le", tests::is_le);
    engine.add_test("lower", tests::is_lower);
    engine.add_test("lt", tests::is_lt);
    engine.add_test("mapping", tests::is_mapping);
    engine.add_test("ne", tests::is_ne);
    engine.add_test("none", tests::is_none);
    engine.add_test("number", tests::is_number);
    engine.add_test("odd", tests::is_odd);
    engine.add_test("sequence", tests::is_sequence);
    engine.add_test("startingwith", tests::is_startingwith);
    engine.add_test("string", tests::is_string);
    engine.add_test("true", tests::is_true);
    engine.add_test("undefined", tests::is_undefined);
}

/// Unlike Jinja's, also for null: the output of a skipped step is null, and `default` is how authors guard
/// it.
fn default(value: &Value, args: Rest<Value>) -> Result<Value, Error> {
    let [other] = args.as_slice() else {
        return Err(Error::new(ErrorKind::InvalidOperation, "`default` takes one value"));
    };
    Ok(if value.is_undefined() || value.is_none() { other.clone() } else { value.clone() })
}

fn replace(value: &str, from: &str, to: &str) -> Result<String, Error> {
    let grows = to.len().saturating_sub(from.len());
    if grows > 0 {
        let most = value.len().saturating_add(grows.saturating_mul(value.matches(from).count()));
        check_size(most)?;
    }
    Ok(value.replace(from, to))
}

fn join(value: &Value, joiner: Option<&str>) -> Result<String, Error> {
    let joiner = joiner.unwrap_or_default();
    let mut text = String::new();
    for (index, item) in value.try_iter()?.enumerate() {
        if item.is_undefined() {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        if index > 0 {
            text.push_str(joiner);
        }
        match item.as_str() {
            Some(item) => text.push_str(item),
            None => text.push_str(&item.to_string()),
        }
        check_size(text.len())?;
    }
    Ok(text)
}

fn tojson(value: &Value, kwargs: Kwargs) -> Result<String, Error> {
    let indent: Option<bool> = kwargs.get("indent")?;
    kwargs.assert_all_used()?;
    let json = super::values::to_json(value).map_err(|refusal| refusal.into_error())?;
    let text =
        if indent == Some(true) { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) };
    text.map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

fn check_size(bytes: usize) -> Result<(), Error> {
    if bytes <= MAX_TEXT_BYTES {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidOperation, format!("more than {MAX_TEXT_BYTES} bytes of text")))
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_lists_of_names_say_what_the_engine_has() {
        for name in FILTERS {
            let program = ENGINE.compile_expression_owned(format!("1|{name}")).expect("compiles");
            if let Err(error) = program.eval(()) {
                assert_ne!(error.kind(), ErrorKind::UnknownFilter, "{name}");
            }
        }
        for name in TESTS {
            let known = ENGINE
                .compile_expression_owned(format!("1 is {name} 1"))
                .or_else(|_| ENGINE.compile_expression_owned(format!("1 is {name}")));
            if let Err(error) = known.expect("compiles").eval(()) {
                assert_ne!(error.kind(), ErrorKind::UnknownTest, "{name}");
            }
        }
        assert_eq!(ENGINE.globals().map(|(name, _)| name.to_owned()).collect::<Vec<_>>(), FUNCTIONS);
    }
}
