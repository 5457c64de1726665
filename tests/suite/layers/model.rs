//! The modules of the library as its sources declare them: what each defines, imports and names by a
//! path; and where such a path leads, through re-exports, to the file of a definition.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{Attribute, Item, ItemUse, UseTree, Visibility, visit::Visit};

/// An import: the path as written, and the name under which it is known; `None` for a glob.
pub(super) struct Import {
    pub(super) path: Vec<String>,
    pub(super) name: Option<String>,
    pub(super) is_public: bool,
}

/// A module. Tests are left out.
pub(super) struct Module {
    pub(super) path: Vec<String>,
    /// Relative to `src/`.
    pub(super) file: String,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    definitions: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    /// Paths of two and more words in the code.
    paths: Vec<Vec<String>>,
}

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Module(usize),
    /// A definition, by its module and name.
    Item(usize, String),
}

/// All modules of the library; the first is its root.
pub(super) struct Model {
    pub(super) modules: Vec<Module>,
}

/// A file that names something that another file defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) what: String,
}

impl Model {
    /// Reads the sources below `src`.
    pub(super) fn read(src: &Path) -> Self {
        let mut model = Self { modules: Vec::new() };
        model.file(src, &src.join("lib.rs"), src, Vec::new(), None);
        model
    }

    fn file(
        &mut self,
        src: &Path,
        file: &Path,
        folder: &Path,
        path: Vec<String>,
        parent: Option<usize>,
    ) -> usize {
        let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let syntax = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let name = file.strip_prefix(src).unwrap().to_str().unwrap().replace('\\', "/");
        let id = self.module(path, name, parent);
        self.items(src, folder, id, &syntax.items);
        id
    }

    fn module(&mut self, path: Vec<String>, file: String, parent: Option<usize>) -> usize {
        self.modules.push(Module {
            path,
            file,
            parent,
            children: BTreeMap::new(),
            definitions: BTreeSet::new(),
            imports: Vec::new(),
            paths: Vec::new(),
        });
        self.modules.len() - 1
    }

    fn items(&mut self, src: &Path, folder: &Path, id: usize, items: &[Item]) {
        for item in items {
            match item {
                Item::Mod(module) => {
                    if is_test(&module.attrs) {
                        continue;
                    }
                    let name = module.ident.to_string();
                    let mut path = self.modules[id].path.clone();
                    path.push(name.clone());
                    let child = match &module.content {
                        Some((_, items)) => {
                            let file = self.modules[id].file.clone();
                            let child = self.module(path, file, Some(id));
                            self.items(src, &folder.join(&name), child, items);
                            child
                        }
                        None => {
                            let below = folder.join(&name);
                            let single = folder.join(format!("{name}.rs"));
                            let file = if single.exists() { single } else { below.join("mod.rs") };
                            self.file(src, &file, &below, path, Some(id))
                        }
                    };
                    self.modules[id].children.insert(name, child);
                }
                Item::Use(import) => self.import(id, import),
                other => {
                    self.modules[id].definitions.extend(defined(other));
                    let mut found = Paths { paths: Vec::new() };
                    found.visit_item(other);
                    self.modules[id].paths.extend(found.paths);
                }
            }
        }
    }

    fn import(&mut self, id: usize, import: &ItemUse) {
        let is_public = !matches!(import.vis, Visibility::Inherited);
        let mut leaves = Vec::new();
        flatten(&import.tree, &mut Vec::new(), &mut leaves);
        self.modules[id].imports.extend(leaves.into_iter().map(|(path, name)| Import {
            path,
            name,
            is_public,
        }));
    }

    /// Where a path leads that is written in a module; nowhere for what is not ours.
    pub(super) fn resolve(&self, from: usize, path: &[String]) -> BTreeSet<Target> {
        self.resolve_within(from, path, &HashSet::new())
    }

    fn resolve_within(
        &self,
        from: usize,
        path: &[String],
        seen: &HashSet<(usize, String)>,
    ) -> BTreeSet<Target> {
        let mut module = from;
        let mut rest = path;
        let mut anchored = false;
        while let Some((first, others)) = rest.split_first() {
            module = match first.as_str() {
                "crate" => 0,
                "self" => module,
                "super" => match self.modules[module].parent {
                    Some(parent) => parent,
                    None => return BTreeSet::new(),
                },
                _ => break,
            };
            anchored = true;
            rest = others;
        }
        match rest.split_first() {
            None if anchored => BTreeSet::from([Target::Module(module)]),
            None => BTreeSet::new(),
            Some((first, others)) => self.walk(module, first, others, seen),
        }
    }

    fn walk(
        &self,
        module: usize,
        first: &str,
        rest: &[String],
        seen: &HashSet<(usize, String)>,
    ) -> BTreeSet<Target> {
        let found = self.lookup(module, first, seen);
        let Some((next, others)) = rest.split_first() else { return found };
        found
            .into_iter()
            .flat_map(|target| match target {
                Target::Module(module) => self.walk(module, next, others, seen),
                // A variant or an associated item.
                item @ Target::Item(..) => BTreeSet::from([item]),
            })
            .collect()
    }

    /// What a name means in a module.
    fn lookup(
        &self,
        module: usize,
        name: &str,
        seen: &HashSet<(usize, String)>,
    ) -> BTreeSet<Target> {
        let key = (module, name.to_owned());
        if seen.contains(&key) {
            return BTreeSet::new();
        }
        let mut seen = seen.clone();
        seen.insert(key);
        let here = &self.modules[module];
        let mut found = BTreeSet::new();
        found.extend(here.children.get(name).map(|child| Target::Module(*child)));
        if here.definitions.contains(name) {
            found.insert(Target::Item(module, name.to_owned()));
        }
        for import in here.imports.iter().filter(|import| import.name.as_deref() == Some(name)) {
            // The first word of an import is a crate, or a module here: never the import itself.
            found.extend(self.resolve_within(module, &import.path, &seen));
        }
        if found.is_empty() {
            for import in here.imports.iter().filter(|import| import.name.is_none()) {
                for target in self.resolve_within(module, &import.path, &seen) {
                    if let Target::Module(module) = target {
                        found.extend(self.lookup(module, name, &seen));
                    }
                }
            }
        }
        found
    }

    /// Which file names what of which other file. Re-exports of a `mod.rs` are a face for others, and
    /// no use of their own.
    pub(super) fn edges(&self) -> BTreeSet<Edge> {
        let mut edges = BTreeSet::new();
        for (id, module) in self.modules.iter().enumerate() {
            let face = module.file.ends_with("mod.rs") || module.file == "lib.rs";
            let imports = module.imports.iter().filter(|import| !(import.is_public && face));
            let paths = imports.map(|import| &import.path).chain(&module.paths);
            for path in paths {
                for target in self.resolve(id, path) {
                    let Target::Item(defining, name) = target else { continue };
                    let to = &self.modules[defining].file;
                    if *to != module.file {
                        let (from, to) = (module.file.clone(), to.clone());
                        edges.insert(Edge { from, to, what: name });
                    }
                }
            }
        }
        edges
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

fn defined(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

fn flatten(
    tree: &UseTree,
    before: &mut Vec<String>,
    leaves: &mut Vec<(Vec<String>, Option<String>)>,
) {
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, before, leaves);
            before.pop();
        }
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, before, leaves);
            }
        }
        UseTree::Glob(_) => leaves.push((before.clone(), None)),
        UseTree::Name(name) if name.ident == "self" => {
            leaves.push((before.clone(), before.last().cloned()));
        }
        UseTree::Name(name) => {
            let mut path = before.clone();
            path.push(name.ident.to_string());
            leaves.push((path, Some(name.ident.to_string())));
        }
        UseTree::Rename(rename) => {
            let mut path = before.clone();
            if rename.ident != "self" {
                path.push(rename.ident.to_string());
            }
            leaves.push((path, Some(rename.rename.to_string())));
        }
    }
}

/// Collects the paths of two and more words, in macros too.
struct Paths {
    paths: Vec<Vec<String>>,
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            self.paths.push(path.segments.iter().map(|s| s.ident.to_string()).collect());
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, found: &'ast syn::Macro) {
        self.tokens(found.tokens.clone());
    }

    fn visit_item_use(&mut self, import: &'ast ItemUse) {
        let mut leaves = Vec::new();
        flatten(&import.tree, &mut Vec::new(), &mut leaves);
        self.paths.extend(leaves.into_iter().map(|(path, _)| path));
    }
}

impl Paths {
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) if colons == 2 || path.is_empty() => {
                    path.push(word.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(word) => {
                    self.end(&mut path);
                    path.push(word.to_string());
                }
                TokenTree::Group(group) => {
                    self.end(&mut path);
                    self.tokens(group.stream());
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => self.end(&mut path),
            }
            colons = 0;
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.paths.push(path);
        }
    }
}

/// The folder of the library's sources.
pub(super) fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}
