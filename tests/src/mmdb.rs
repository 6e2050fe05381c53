//! Small databases of autonomous systems in MaxMind's format (<https://maxmind.github.io/MaxMind-DB/>).

/// One that knows these /24 networks of IPv4 and nothing else; it says that it is of `kind`.
pub fn systems(kind: &str, networks: &[([u8; 3], u32)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut tree = Tree { nodes: vec![[Record::Empty; 2]] };
    for ([a, b, c], number) in networks {
        tree.put(u32::from_be_bytes([*a, *b, *c, 0]), data.len());
        data.extend(map(1));
        data.extend(string("autonomous_system_number"));
        data.extend([6 << 5 | 4]);
        data.extend(number.to_be_bytes());
    }
    let mut bytes = tree.bytes();
    let nodes = tree.nodes.len() as u32;
    // Between the tree and the data.
    bytes.extend([0; 16]);
    bytes.extend(data);
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    let short = |number: u16| [&[5 << 5 | 2][..], &number.to_be_bytes()].concat();
    bytes.extend(map(9));
    for (name, value) in [
        ("binary_format_major_version", short(2)),
        ("binary_format_minor_version", short(0)),
        ("build_epoch", vec![4, 2, 0, 0, 0, 0]),
        ("database_type", string(kind)),
        ("description", map(0)),
        ("ip_version", short(4)),
        ("languages", vec![0, 4]),
        ("node_count", [&[6 << 5 | 4][..], &nodes.to_be_bytes()].concat()),
        ("record_size", short(24)),
    ] {
        bytes.extend(string(name));
        bytes.extend(value);
    }
    bytes
}

fn map(pairs: u8) -> Vec<u8> {
    vec![7 << 5 | pairs]
}

/// A text of at most 28 bytes.
fn string(text: &str) -> Vec<u8> {
    [&[2 << 5 | text.len() as u8], text.as_bytes()].concat()
}

#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(usize),
    Data(usize),
}

struct Tree {
    nodes: Vec<[Record; 2]>,
}

impl Tree {
    fn put(&mut self, network: u32, data: usize) {
        let mut at = 0;
        for depth in 0..24 {
            let bit = (network >> (31 - depth) & 1) as usize;
            if depth == 23 {
                self.nodes[at][bit] = Record::Data(data);
                return;
            }
            at = match self.nodes[at][bit] {
                Record::Node(next) => next,
                _ => {
                    self.nodes.push([Record::Empty; 2]);
                    let next = self.nodes.len() - 1;
                    self.nodes[at][bit] = Record::Node(next);
                    next
                }
            };
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let all = self.nodes.len();
        let record = |record: &Record| match record {
            Record::Empty => all,
            Record::Node(node) => *node,
            Record::Data(offset) => all + 16 + offset,
        };
        let three = |record: usize| (record as u32).to_be_bytes()[1..].to_vec();
        self.nodes.iter().flatten().flat_map(|at| three(record(at))).collect()
    }
}
