//! `tidewatch users` and `tidewatch lists` as they are typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::args::Usernames;

#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// Makes a filter of a list of usernames
    #[command(after_help = "\
Examples:
  tidewatch users build users.txt -o known.users
  psql -Atc 'select email from users' shop | tidewatch users build - -o known.users
  tidewatch users build --column email export.csv.gz -o known.users
  tidewatch replay --users known.users app.log

A list has one name a line; with --column it is CSV with a header, or JSON objects, one a line.
The filter has no name in it, but whoever has the file can test whether a name of theirs is.")]
    Build(UsersBuildArgs),
}

#[derive(Debug, Args)]
pub struct UsersBuildArgs {
    /// Lists of usernames, plain or gzipped; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The filter; one of this name is replaced at once, when the new one is whole
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub out: PathBuf,
    /// The column of CSV, or the field of JSON objects, that is the name
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Whether `Root`, `root ` and `ｒｏｏｔ` are one username
    #[arg(long, value_enum, default_value_t = Usernames::Fold)]
    pub usernames: Usernames,
}

#[derive(Debug, Subcommand)]
pub enum ListsCommand {
    /// Makes a list that findings can tell of
    #[command(after_help = "\
Examples:
  tidewatch lists build breach-2019 emails.txt.gz -o breach-2019.names --own-users users.txt
  tidewatch lists build combo combo.csv -o combo.names --column email
  tidewatch replay --list breach-2019.names --list combo.names app.log

With --own-users it is counted how many of your users stand on it, and a finding tells of it only where more of
the names tried do than chance would bring. Without, where half of them do.
The list has no name in it, but whoever has the file can test whether a name of theirs is.")]
    Build(ListsBuildArgs),
}

#[derive(Debug, Args)]
pub struct ListsBuildArgs {
    /// What findings call it
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Names, one a line, plain or gzipped; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The list; one of this name is replaced at once, when the new one is whole
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub out: PathBuf,
    /// The usernames you have given out, one a line, or in the same column: how many of them stand on it
    #[arg(long, value_name = "FILE")]
    pub own_users: Option<PathBuf>,
    /// The column of CSV, or the field of JSON objects, that is the name
    #[arg(long, value_name = "NAME")]
    pub column: Option<String>,
    /// Whether `Root`, `root ` and `ｒｏｏｔ` are one username
    #[arg(long, value_enum, default_value_t = Usernames::Fold)]
    pub usernames: Usernames,
}
