//! Price files and files about functions: what is shipped, and what is told of faults.

use expect_test::{Expect, expect};
use tidewatch_core::meter::money::Price;
use tidewatch_core::meter::tariff::{Architecture, Terms};
use tidewatch_rules::RuleError;
use tidewatch_rules::functions::functions;
use tidewatch_rules::prices::{prices, shipped_prices};

fn told(errors: Vec<RuleError>) -> String {
    errors.iter().map(|error| format!("{error}\n    {}\n", error.help)).collect()
}

#[test]
fn the_shipped_prices_are_those_of_each_region() {
    let (name, text) = shipped_prices();
    let prices = prices(&name, &text).expect("the shipped prices");
    let virginia = prices.region("us-east-1").expect("a region");
    assert_eq!(virginia.x86_64.list(), Price(16_666_700));
    assert_eq!(virginia.arm64.list(), Price(13_333_400));
    assert_eq!(virginia.arm64.tiers[2].from_gb_s, 18_750_000_000);
    assert_eq!((virginia.arm64.request, virginia.arm64.storage), (Price(200_000), Price(30_900)));
    assert_eq!(prices.tariffs.len(), 24);
    for tariff in &prices.tariffs {
        for rates in [&tariff.x86_64, &tariff.arm64] {
            let falls = |pair: &[_]| pair[0] > pair[1];
            let tiers: Vec<Price> = rates.tiers.iter().map(|tier| tier.price).collect();
            assert!(tiers.windows(2).all(falls), "{}", tariff.region);
        }
        assert!(tariff.arm64.list() < tariff.x86_64.list(), "{}", tariff.region);
    }
}

#[test]
fn an_unknown_region_is_told_with_those_there_are() {
    let text = "[[prices]]\nregions = [\"eu-west-1\", \"eu-west-2\"]\nrequest = 0.0000002\n\
                storage_gb_second = 0\nx86_64 = [{ from = 0, gb_second = \"0.00001\" }]\n\
                arm64 = [{ from = 0, gb_second = 1 }]\n";
    let prices = prices("own.toml", text).expect("prices");
    let error = prices.region("eu-west-3").expect_err("not there");
    expect!["own.toml has no prices of `eu-west-3`. Did you mean `eu-west-1`? Regions: `eu-west-1`, `eu-west-2`."]
        .assert_eq(&error.to_string());
}

fn check_prices(text: &str, expected: Expect) {
    expected.assert_eq(&told(prices("p.toml", text).expect_err("faults")));
}

#[test]
fn faults_of_a_price_file_are_told_where_they_are() {
    check_prices(
        "",
        expect![[r#"
        p.toml:1:1: the price file has no `prices`
            Head the prices of some regions [[prices]]; infra/prices/lambda.toml is an example.
    "#]],
    );
    check_prices(
        "[[prices]]\nregions = \"x\"\nrequests = 1\nrequest = -0.5\nstorage_gb_second = 1e-8\n\
         x86_64 = [{ from = 0, gb_second = 1 }, { from = 0, gb_second = 1 }]\narm64 = []\n",
        expect![[r#"
            p.toml:3:1: `requests` is no field of prices
                Did you mean `request`? Allowed fields: `regions`, `request`, `storage_gb_second`, `x86_64`, `arm64`, `page`, `seen`.
            p.toml:4:11: `-0.5` is no price (field `request`)
                Write dollars with at most 12 decimals and no exponent, like 0.0000166667.
            p.toml:5:21: `1e-8` is no price (field `storage_gb_second`)
                Write dollars with at most 12 decimals and no exponent, like 0.0000166667.
            p.toml:6:40: tiers out of order
                The first tier begins at 0, each further one at more than the one before.
            p.toml:7:9: tiers out of order
                Give at least one tier, from 0.
        "#]],
    );
    check_prices(
        "[[prices]]\nregions = [\"x\"]\nrequest = 0\nstorage_gb_second = 0\nx86_64 = 7\n",
        expect![[r#"
            p.toml:5:10: `x86_64` must be a list of tiers, each { from = …, gb_second = … }, not integer
                Make `x86_64` a list of tiers, each { from = …, gb_second = … }.
        "#]],
    );
    check_prices(
        "[[prices]]\nregions = [\"x\", \"x\"]\nrequest = 0\nstorage_gb_second = 0\n\
         x86_64 = [{ from = 0, gb_second = 1 }]\narm64 = [{ from = 0, gb_second = 1 }]\n",
        expect![[r#"
            p.toml:2:17: prices of `x` stand twice in this file
                Keep one of them.
        "#]],
    );
    check_prices(
        "[[prices]]\nregions = [\"x\"]\n",
        expect![[r#"
        p.toml:1:1: the prices has no `request`
            infra/prices/lambda.toml says what each field is, and is an example.
    "#]],
    );
}

#[test]
fn the_first_entry_that_says_it_decides() {
    let text = "[[function]]\nname = \"checkout-*\"\narchitecture = \"arm64\"\n\
                [[function]]\nname = [\"*-resize\", \"checkout-pdf\"]\narchitecture = \"x86_64\"\n\
                storage_mb = 2048\n";
    let functions = functions("f.toml", text).expect("entries");
    let check = |name: &str, architecture, storage_mb| {
        let terms = functions.terms(name, Terms::default());
        assert_eq!(terms, Terms { architecture, storage_mb }, "{name}");
    };
    check("checkout-api", Architecture::Arm64, 512);
    check("checkout-pdf", Architecture::Arm64, 2_048);
    check("image-resize", Architecture::X86_64, 2_048);
    check("login", Architecture::X86_64, 512);
}

#[test]
fn faults_of_a_file_about_functions_are_told_where_they_are() {
    let text = "[[function]]\nname = \"a\"\narchitecture = \"arm\"\nstorage_mb = 100\n[[function]]\n\
                memory = 3\n";
    let errors = functions("f.toml", text).expect_err("faults");
    expect![[r#"
        f.toml:3:16: `arm` is no architecture (field `architecture`)
            Did you mean `arm64`? Architectures: `x86_64`, `arm64`.
        f.toml:4:14: `storage_mb` is 100, outside 512 to 10240
            That is what a function may have, in MB.
        f.toml:5:1: the entry has no `name`
            Name functions, `name = "checkout-*"`; `*` stands for any text.
        f.toml:6:1: `memory` is no field of a function
            Allowed fields: `name`, `architecture`, `storage_mb`, `budget`.
    "#]]
    .assert_eq(&told(errors));
}

#[test]
fn budgets_are_of_each_function_that_fits_and_of_all() {
    let text = "budget = 1000\n[[function]]\nname = \"checkout-*\"\nbudget = 500\n\
                [[function]]\nname = \"*\"\narchitecture = \"arm64\"\nbudget = 2.5\n";
    let of = functions("f.toml", text).expect("entries");
    let found = ["checkout-api", "checkout-pdf", "login"].map(|name| of.budget_of(name));
    assert_eq!((found, of.budget), ([Some(500.0), Some(500.0), Some(2.5)], Some(1_000.0)));
    let none = functions("f.toml", "[[function]]\nname = \"a\"\n").expect("an entry");
    assert_eq!((none.budget_of("a"), none.budget), (None, None));
    let text = "budget = 0\nbugdet = 3\n[[function]]\nname = \"a\"\nbudget = \"500\"\n";
    let errors = functions("f.toml", text).expect_err("faults");
    expect![[r#"
        f.toml:1:10: `budget` is 0, outside 0.01 to 1000000000
            A budget is in dollars a calendar month (UTC), like 500.
        f.toml:2:1: `bugdet` is no field of a file about functions
            Did you mean `budget`? Allowed fields: `budget`, `function`.
        f.toml:5:10: `budget` must be a number, not string
            Make `budget` a number.
    "#]]
    .assert_eq(&told(errors));
    for (text, budget) in [("1000", Some(1_000.0)), ("$12.5", Some(12.5)), ("0", None), ("x", None)]
    {
        assert_eq!(tidewatch_rules::functions::budget(text).ok(), budget, "{text}");
    }
}
