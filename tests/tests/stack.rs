//! x
use std::path::PathBuf;
use tidewatch_tests::ministack::Ministack;
use tidewatch_tests::stack::Stack;
#[test]
fn the_stack_deploys() {
    let cloud = Ministack::start();
    let stack = Stack::deploy(&cloud, &PathBuf::from("/tmp/inf/boot.zip"), &[]);
    println!("{:#?}\n{:#?}", stack.outputs, stack.resources());
}
