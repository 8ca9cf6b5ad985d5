//! The program's own source as modules and the paths that each of them names. A small reader of
//! tokens, no compiler: it knows modules, `use` trees, re-exports and paths written out in code.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// A path of segments: `["crm", "record", "ops"]` is `crate::crm::record::ops`.
pub type ModulePath = Vec<String>;

/// All modules of `src/`, by their paths; the root is the empty one.
pub struct Source {
    pub modules: BTreeMap<ModulePath, Module>,
    /// Exported macros, which stand at the root, by where they are defined.
    macros: BTreeMap<String, ModulePath>,
}

/// One file.
#[derive(Default)]
pub struct Module {
    /// Below the package, for people.
    pub file: String,
    /// What it names, as written.
    named: BTreeSet<Vec<String>>,
    /// The names that its `use` lines bring; to its parts, and where they are public to everybody.
    brings: BTreeMap<String, Vec<String>>,
    /// Submodules, and whether everybody may use them.
    pub children: BTreeMap<String, bool>,
    pub exports_macros: Vec<String>,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An item of this module of ours, or the module itself.
    Ours(ModulePath),
    /// The path of another crate.
    Foreign(Vec<String>),
}

impl Source {
    /// Reads the package's `src/`, without its unit tests.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut source = Self { modules: BTreeMap::new(), macros: BTreeMap::new() };
        source.read_folder(&root, &root);
        let defined = |(path, module): (&ModulePath, &Module)| {
            module.exports_macros.iter().map(|name| (name.clone(), path.clone())).collect::<Vec<_>>()
        };
        source.macros = source.modules.iter().flat_map(defined).collect();
        source
    }

    fn read_folder(&mut self, root: &Path, folder: &Path) {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                self.read_folder(root, &entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let below = entry.strip_prefix(root).expect("below src");
                let mut path: ModulePath =
                    below.with_extension("").iter().map(|part| part.to_str().expect("text").to_owned()).collect();
                if matches!(path.last().map(String::as_str), Some("mod" | "lib")) {
                    path.pop();
                }
                let text = fs::read_to_string(&entry).expect("readable");
                let mut module = read_module(&tokens(&text), &path);
                module.file = format!("src/{}", below.display());
                self.modules.insert(path, module);
            }
        }
    }

    /// What a module depends on, re-exports followed to where things are.
    pub fn targets(&self, path: &ModulePath) -> BTreeSet<Target> {
        self.modules[path].named.iter().map(|named| self.resolve(path, named, 0)).collect()
    }

    /// Follows a path as written in `at`.
    fn resolve(&self, at: &ModulePath, written: &[String], depth: usize) -> Target {
        assert!(depth < 20, "{written:?} in {at:?} leads in a circle");
        let mut module = at.clone();
        let mut rest = written;
        let relative = matches!(rest[0].as_str(), "crate" | "$crate" | "kontor" | "self" | "super")
            || self.modules[at].children.contains_key(&rest[0]);
        if !relative {
            return Target::Foreign(written.to_vec());
        }
        while let Some((first, after)) = rest.split_first() {
            match first.as_str() {
                "crate" | "$crate" | "kontor" => module.clear(),
                "self" => {}
                "super" => drop(module.pop()),
                name => {
                    let child: ModulePath = module.iter().cloned().chain([name.to_owned()]).collect();
                    let is_macro = module.is_empty() && after.is_empty() && self.macros.contains_key(name);
                    if is_macro && !self.modules.contains_key(&child) {
                        return Target::Ours(self.macros[name].clone());
                    }
                    if self.modules.contains_key(&child) {
                        module = child;
                    } else if let Some(stands_for) = self.modules[&module].brings.get(name) {
                        let whole: Vec<_> = stands_for.iter().chain(after).cloned().collect();
                        return self.resolve(&module, &whole, depth + 1);
                    } else {
                        return Target::Ours(module);
                    }
                }
            }
            rest = after;
        }
        Target::Ours(module)
    }
}

/// A word or a sign of Rust; comments and literals are gone.
type Token = String;

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let (mut tokens, mut i) = (Vec::new(), 0);
    while i < chars.len() {
        let c = chars[i];
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i += 2;
            while i < chars.len() && !(chars[i] == '*' && at(i + 1) == '/') {
                i += 1;
            }
            i += 2;
        } else if c == '"' {
            i = end_of_string(&chars, i + 1);
        } else if (c == 'r' || c == 'b') && starts_raw(&chars, i) {
            i = end_of_raw(&chars, i);
        } else if c == '\'' {
            i = end_of_quote(&chars, i);
        } else if c.is_alphanumeric() || c == '_' || c == '$' {
            let begin = i;
            while i < chars.len() && (chars[i].is_alphanumeric() || chars[i] == '_' || chars[i] == '$') {
                i += 1;
            }
            tokens.push(chars[begin..i].iter().collect());
        } else if c == ':' && at(i + 1) == ':' {
            tokens.push("::".to_owned());
            i += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            i += 1;
        }
    }
    tokens
}

fn end_of_string(chars: &[char], mut i: usize) -> usize {
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn starts_raw(chars: &[char], mut i: usize) -> bool {
    while i < chars.len() && (chars[i] == 'b' || chars[i] == 'r') {
        i += 1;
    }
    let hashes = i;
    while i < chars.len() && chars[i] == '#' {
        i += 1;
    }
    // r#name is a word
    i < chars.len() && chars[i] == '"' && (i > hashes || chars[hashes - 1] == 'r')
}

fn end_of_raw(chars: &[char], mut i: usize) -> usize {
    while chars[i] != '#' && chars[i] != '"' {
        i += 1;
    }
    let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
    i += hashes + 1;
    while i < chars.len() {
        if chars[i] == '"' && chars[i + 1..].iter().take_while(|c| **c == '#').count() >= hashes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    i
}

/// A character, or the mark of a lifetime.
fn end_of_quote(chars: &[char], i: usize) -> usize {
    if chars.get(i + 1) == Some(&'\\') {
        let end = chars[i + 3..].iter().position(|c| *c == '\'').unwrap_or(0);
        return i + 4 + end;
    }
    if chars.get(i + 2) == Some(&'\'') { i + 3 } else { i + 1 }
}

fn read_module(tokens: &[Token], path: &ModulePath) -> Module {
    let mut module = Module::default();
    let is = |index: usize, text: &str| tokens.get(index).is_some_and(|token| token == text);
    let (mut i, mut public, mut exported) = (0, false, false);
    while i < tokens.len() {
        let token = tokens[i].as_str();
        match token {
            // #[cfg(test)] mod tests { ... }
            "#" if is(i + 1, "[") && is(i + 2, "cfg") && is(i + 4, "test") && is(i + 7, "mod") => {
                i = end_of_block(tokens, i + 9);
                continue;
            }
            "macro_export" => exported = true,
            "macro_rules" => {
                if std::mem::take(&mut exported) {
                    module.exports_macros.push(tokens[i + 2].clone());
                }
                i += 2;
            }
            "pub" => {
                // pub(super) is for the neighbours
                let narrow = is(i + 1, "(");
                public = !narrow;
                i += if narrow { 4 } else { 1 };
                continue;
            }
            "mod" if is(i + 2, ";") => drop(module.children.insert(tokens[i + 1].clone(), public)),
            "use" if !is(i + 1, "<") => {
                public = false;
                let mut found = Vec::new();
                i = read_use(tokens, i + 1, &[], &mut found);
                for (name, path) in found {
                    if let Some(name) = name {
                        // a later one of the same name stands within a function or macro
                        module.brings.entry(name).or_insert_with(|| path.clone());
                    }
                    module.named.insert(path);
                }
            }
            _ if is(i + 1, "::") && begins_path(tokens, i) => {
                let (written, end) = written_path(tokens, i);
                if is_path_of_interest(&written) {
                    module.named.insert(written);
                }
                i = end;
                public = false;
                continue;
            }
            _ => {}
        }
        if token != "pub" {
            public = false;
        }
        i += 1;
    }
    assert!(!path.is_empty() || !module.children.is_empty() || module.named.len() > 1, "the root was read");
    module
}

fn begins_path(tokens: &[Token], i: usize) -> bool {
    let word = tokens[i].chars().next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == '$');
    word && (i == 0 || tokens[i - 1] != "::")
}

/// Paths within functions begin with an imported name or a crate's; the imported ones are known
/// from their `use` already.
fn is_path_of_interest(written: &[String]) -> bool {
    let first = written[0].as_str();
    matches!(first, "crate" | "$crate" | "kontor" | "self" | "super")
        || first.chars().all(|c| c.is_lowercase() || c == '_')
}

fn written_path(tokens: &[Token], mut i: usize) -> (Vec<String>, usize) {
    let mut path = vec![tokens[i].clone()];
    while tokens.get(i + 1).is_some_and(|token| token == "::")
        && tokens.get(i + 2).is_some_and(|token| token.chars().all(|c| c.is_alphanumeric() || c == '_'))
    {
        path.push(tokens[i + 2].clone());
        i += 2;
    }
    (path, i + 1)
}

/// Reads one tree of a `use`; returns where it ends. A leaf has the name that it brings, `None`
/// for all names.
fn read_use(
    tokens: &[Token],
    mut i: usize,
    prefix: &[String],
    found: &mut Vec<(Option<String>, Vec<String>)>,
) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens[i].as_str() {
            "::" => {}
            "{" => {
                i += 1;
                while tokens[i] != "}" {
                    i = read_use(tokens, i, &path, found);
                    if tokens[i] == "," {
                        i += 1;
                    }
                }
                return i + 1;
            }
            "*" => {
                found.push((None, path));
                return i + 1;
            }
            "as" => {
                found.push((Some(tokens[i + 1].clone()), path));
                return i + 2;
            }
            "," | "}" | ";" => {
                found.push((path.last().cloned(), path));
                return i;
            }
            "self" if !path.is_empty() => {}
            word => path.push(word.to_owned()),
        }
        i += 1;
    }
}

fn end_of_block(tokens: &[Token], mut i: usize) -> usize {
    let mut depth = 0;
    while i < tokens.len() {
        match tokens[i].as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return i + 1,
            "}" => depth -= 1,
            _ => {}
        }
        i += 1;
    }
    i
}
