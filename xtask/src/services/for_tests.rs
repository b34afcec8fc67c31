//! Services of one run of the tests: in a folder of their own, and gone when the run ends, however it ends.
//!
//! A keeper, a process of its own, waits until its standard input ends. That is when the run stops them, and also when
//! the run is killed: the kernel closes the other end.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use anyhow::{Context, Result, anyhow, ensure};

use super::started::{Kind, List};
use super::{Place, default_folder, demand, down, is_named, up, variables};

/// A variable and its value.
pub(crate) type Variable = (&'static str, String);

/// Services that start while the caller goes on.
#[derive(Debug)]
pub(crate) struct ForTests {
    keeper: Keeper,
    starting: Option<JoinHandle<Result<Vec<Variable>>>>,
    /// Where they lie.
    members: PathBuf,
    were_ready: bool,
}

impl ForTests {
    /// Begins to start one member of each service that no variable names; `None` where all are named.
    ///
    /// # Errors
    /// As [`ForTests::begin`].
    pub(crate) fn begin_absent(root: &Path) -> Result<Option<Self>> {
        let absent = Kind::ALL.into_iter().filter(|kind| !is_named(*kind));
        let one_each: Vec<_> = absent.map(|kind| (kind, 1)).collect();
        if one_each.is_empty() { Ok(None) } else { Self::begin(root, &one_each, false).map(Some) }
    }

    /// Begins to start so many members of each service, which take nothing but TLS and login if they are to be secure.
    ///
    /// # Errors
    /// Their folder cannot be made, or the keeper not be started.
    pub(crate) fn begin(root: &Path, wanted: &[(Kind, usize)], is_secure: bool) -> Result<Self> {
        let folder = default_folder(root);
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let folder = folder.canonicalize()?;
        // The keeper deletes it.
        let members = tempfile::Builder::new().prefix("test-").tempdir_in(&folder)?.keep();
        let place = Place { members, jars: folder.join("jars") };
        // So that `cargo xtask services --folder` finds them, too, when a test starts a member again.
        std::os::unix::fs::symlink(&place.jars, place.members.join("jars"))?;
        let (keeper, members) = (Keeper::start(&place.members)?, place.members.clone());
        let wanted = wanted.to_vec();
        let starting = std::thread::spawn(move || {
            let mut list = List::read(&place.members)?;
            up(&place, &wanted, demand(is_secure), &mut list)?;
            Ok(wanted.iter().flat_map(|(kind, _)| variables(&place, &list, *kind)).collect())
        });
        Ok(Self { keeper, starting: Some(starting), members, were_ready: false })
    }

    /// The folder that `cargo xtask services` knows them by.
    pub(crate) fn folder(&self) -> &Path {
        &self.members
    }

    /// Waits until they are ready: the variables that name them to the tests.
    ///
    /// # Errors
    /// One does not start.
    pub(crate) fn ready(&mut self) -> Result<Vec<Variable>> {
        let starting = self.starting.take().context("the services were waited for before")?;
        let variables = starting.join().map_err(|_| anyhow!("the start of the services panicked"))??;
        self.were_ready = true;
        Ok(variables)
    }

    /// Stops them and deletes what they left.
    ///
    /// # Errors
    /// One had ended by itself, something does not stop, or cannot be deleted.
    pub(crate) fn end(mut self) -> Result<()> {
        self.settle();
        // Its log goes with the folder.
        let died = if self.were_ready { List::read(&self.members)?.died() } else { Vec::new() };
        self.keeper.end()?;
        ensure!(died.is_empty(), "ended while the tests ran: {}", died.join("; "));
        Ok(())
    }

    /// Nothing is started any more.
    fn settle(&mut self) {
        if let Some(starting) = self.starting.take() {
            // Whether it succeeded makes no difference to who stops them now.
            drop(starting.join());
        }
    }
}

impl Drop for ForTests {
    fn drop(&mut self) {
        self.settle();
    }
}

/// The process that stops them.
#[derive(Debug)]
struct Keeper(Child);

impl Keeper {
    fn start(members: &Path) -> Result<Self> {
        let mut keeper = Command::new(std::env::current_exe().context("the path of this program")?);
        keeper.args(["services", "keep", "--folder"]).arg(members);
        // In a group of its own: it outlives a Ctrl-C.
        keeper.stdin(Stdio::piped()).process_group(0);
        keeper.spawn().map(Self).context("starting the keeper of the services")
    }

    fn end(&mut self) -> Result<()> {
        drop(self.0.stdin.take());
        let status = self.0.wait().context("the keeper of the services")?;
        ensure!(status.success(), "the keeper of the services did not stop all of them");
        Ok(())
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // Ended before, or by the way out after an error, which is told.
        drop(self.end());
    }
}

/// The keeper's work.
///
/// # Errors
/// Something does not stop, or cannot be deleted.
pub(super) fn keep(place: &Place, at_first: List) -> Result<()> {
    ensure!(at_first.all().next().is_none(), "services run there already");
    let mut nothing = Vec::new();
    std::io::stdin().read_to_end(&mut nothing)?;
    let mut list = List::read(&place.members)?;
    down(place, &mut list)?;
    let members = &place.members;
    std::fs::remove_dir_all(members).with_context(|| format!("deleting {}", members.display()))
}
