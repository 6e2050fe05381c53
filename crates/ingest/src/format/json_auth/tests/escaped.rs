//! What is kept from one escaped object for the next changes nothing that is read.

use proptest::prelude::*;

use super::super::super::memo::Memos;
use super::super::read_flat;
use super::{any_field, escaped, naming};

fn any_line() -> impl Strategy<Value = String> {
    let usual = "\"(user|user_name|ip|event|x)\" ?: ?\"(bob|192\\.0\\.2\\.1|login_failed|)\"";
    let field = prop_oneof![4 => usual.prop_map(String::from), 1 => any_field()];
    let fields = proptest::collection::vec(field, 0..6);
    (fields, "(|,|\\}|\\\\|\")").prop_map(|(fields, end)| format!("{{{}}}{end}", fields.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn an_object_says_behind_others_what_it_says_alone(
        lines in proptest::collection::vec(any_line(), 1..12), at in any::<prop::sample::Index>(),
    ) {
        let mut memos = Memos::default();
        // The same line twice, and one that breaks off where the other goes on.
        let cut: String = lines[0].chars().take(at.index(lines[0].len())).collect();
        for line in lines.iter().chain(&lines).chain([&lines[0], &cut]) {
            let message = escaped(line);
            let alone = read_flat::<true>(&message, true, &naming(), &mut Memos::default());
            prop_assert_eq!(read_flat::<true>(&message, true, &naming(), &mut memos), alone);
        }
    }
}
