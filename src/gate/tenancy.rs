//! Organizations and their projects.
//!
//! A project is the wall between those whose events lie in one store. Its name is that under which
//! its events are kept, so it never changes; what people call it does. Organization and project
//! `default` are always there, and so is every project that a key belongs to or a listener names.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Gate;
use super::error::GateError;
use super::rfc3339;
use super::scope::Environment;
use crate::time::Timestamp;

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectInfo {
    /// Its name, which is unique over all organizations.
    pub name: String,
    /// The organization that it belongs to.
    pub organization: String,
    /// What people call it.
    #[serde(default)]
    pub title: String,
    /// The environments that its keys may belong to.
    #[serde(default = "all")]
    pub environments: Vec<Environment>,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationInfo {
    /// Its name.
    pub name: String,
    /// What people call it.
    #[serde(default)]
    pub title: String,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
}

/// What a new project or organization is asked to be, or what is to change of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NewPlace {
    /// Its name: 1 to 64 letters, digits, `-`, `_`, `.`, of which the first is a letter or a digit.
    pub name: String,
    /// Of a project: the organization. Default: "default".
    pub organization: Option<String>,
    /// What people call it: up to 100 bytes. Default: nothing else than its name.
    pub title: Option<String>,
    /// Of a project: the environments that its keys may belong to. Default: all.
    pub environments: Option<Vec<Environment>>,
}

/// All of them: an immutable table; a change makes another.
#[derive(Clone, Debug, Default)]
pub(super) struct Tenancy {
    pub(super) organizations: BTreeMap<String, OrganizationInfo>,
    pub(super) projects: BTreeMap<String, ProjectInfo>,
}

impl Gate {
    /// Every organization, by name.
    pub fn organizations(&self) -> Vec<OrganizationInfo> {
        self.tenancy.load().organizations.values().cloned().collect()
    }

    /// Every project, by name.
    pub fn projects(&self) -> Vec<ProjectInfo> {
        self.tenancy.load().projects.values().cloned().collect()
    }

    /// Has projects be there that the configuration names.
    pub fn name_projects<'n>(&self, names: impl IntoIterator<Item = &'n str>, now: Timestamp) {
        let _change = self.change.lock();
        let mut tenancy = Tenancy::clone(&self.tenancy.load());
        names.into_iter().for_each(|name| tenancy.name_project(name, now));
        self.tenancy.store(Arc::new(tenancy));
    }

    /// Makes an organization.
    ///
    /// # Errors
    ///
    /// There is one of that name, what was asked makes no sense, or the store failed.
    pub fn create_organization(
        &self,
        new: NewPlace,
        now: Timestamp,
    ) -> Result<OrganizationInfo, GateError> {
        let NewPlace { name, organization, title, environments } = new;
        if organization.is_some() || environments.is_some() {
            return Err(GateError::invalid("organization", "a name and a title alone", "more"));
        }
        check_name("name", &name)?;
        let title = checked_title(title)?;
        self.change_tenancy(|tenancy| {
            if tenancy.organizations.contains_key(&name) {
                return Err(GateError::Place { expected: "the name of no organization", name });
            }
            if tenancy.organizations.len() >= MAX_ORGANIZATIONS {
                return Err(GateError::Full { of: "organizations", max: MAX_ORGANIZATIONS });
            }
            let made = OrganizationInfo { name, title: title.unwrap_or_default(), created_at: now };
            self.records.put_organization(&made)?;
            tenancy.organizations.insert(made.name.clone(), made.clone());
            Ok(made)
        })
    }

    /// Takes an organization away.
    ///
    /// # Errors
    ///
    /// There is none of that name, it has projects, it is `default`, or the store failed.
    pub fn delete_organization(&self, name: &str) -> Result<OrganizationInfo, GateError> {
        self.change_tenancy(|tenancy| {
            let organization = tenancy.organizations.get(name);
            let gone = organization.ok_or_else(|| unknown("an organization", name))?.clone();
            let is_used = tenancy.projects.values().any(|project| project.organization == name);
            if is_used || name == DEFAULT {
                return Err(in_use("an organization without projects", name));
            }
            self.records.delete_organization(name)?;
            tenancy.organizations.remove(name);
            Ok(gone)
        })
    }

    /// Makes a project.
    ///
    /// # Errors
    ///
    /// There is one of that name, what was asked makes no sense, or the store failed.
    pub fn create_project(&self, new: NewPlace, now: Timestamp) -> Result<ProjectInfo, GateError> {
        check_name("name", &new.name)?;
        self.change_tenancy(|tenancy| {
            if tenancy.projects.contains_key(&new.name) {
                let expected = "the name of no project";
                return Err(GateError::Place { expected, name: new.name });
            }
            if tenancy.projects.len() >= MAX_PROJECTS {
                return Err(GateError::Full { of: "projects", max: MAX_PROJECTS });
            }
            let begun = ProjectInfo::named(&new.name, now);
            let made = tenancy.changed(begun, new)?;
            self.records.put_project(&made)?;
            tenancy.projects.insert(made.name.clone(), made.clone());
            Ok(made)
        })
    }

    /// Changes what is said of a project, but for its name.
    ///
    /// # Errors
    ///
    /// There is none of that name; what was asked makes no sense; good keys belong to an environment
    /// that it would no longer have; or the store failed.
    pub fn change_project(
        &self,
        change: NewPlace,
        now: Timestamp,
    ) -> Result<ProjectInfo, GateError> {
        self.change_tenancy(|tenancy| {
            let old = tenancy.projects.get(&change.name).cloned();
            let old = old.ok_or_else(|| unknown("a project", &change.name))?;
            let changed = tenancy.changed(old, change)?;
            let stranded = |key: &super::KeyInfo| {
                key.project == changed.name && !changed.environments.contains(&key.environment)
            };
            if self.good_keys(now).iter().any(stranded) {
                return Err(in_use(
                    "environments that all of its good keys belong to",
                    &changed.name,
                ));
            }
            self.records.put_project(&changed)?;
            tenancy.projects.insert(changed.name.clone(), changed.clone());
            Ok(changed)
        })
    }

    /// Takes a project away. Its events are the caller's affair.
    ///
    /// # Errors
    ///
    /// There is none of that name, good keys belong to it, it is `default`, or the store failed.
    pub fn delete_project(&self, name: &str, now: Timestamp) -> Result<ProjectInfo, GateError> {
        self.change_tenancy(|tenancy| {
            let project = tenancy.projects.get(name).cloned();
            let gone = project.ok_or_else(|| unknown("a project", name))?;
            if name == DEFAULT || self.good_keys(now).iter().any(|key| key.project == name) {
                return Err(in_use("a project without good keys, other than `default`", name));
            }
            self.records.delete_project(name)?;
            tenancy.projects.remove(name);
            Ok(gone)
        })
    }

    /// Keys that can be used, now or once the clock is right.
    fn good_keys(&self, now: Timestamp) -> Vec<super::KeyInfo> {
        let mut keys = self.keys();
        keys.retain(|key| key.revoked_at.is_none() && now < key.expires_at);
        keys
    }

    fn change_tenancy<T>(
        &self,
        change: impl FnOnce(&mut Tenancy) -> Result<T, GateError>,
    ) -> Result<T, GateError> {
        let _change = self.change.lock();
        let mut tenancy = Tenancy::clone(&self.tenancy.load());
        let done = change(&mut tenancy)?;
        self.tenancy.store(Arc::new(tenancy));
        Ok(done)
    }
}

impl Tenancy {
    /// With organization and project `default`, whatever else there is.
    pub(super) fn new(
        organizations: Vec<OrganizationInfo>,
        projects: Vec<ProjectInfo>,
        now: Timestamp,
    ) -> Self {
        let mut all = Self::default();
        let default =
            OrganizationInfo { name: DEFAULT.to_owned(), title: String::new(), created_at: now };
        all.organizations.insert(default.name.clone(), default);
        for organization in organizations {
            all.organizations.insert(organization.name.clone(), organization);
        }
        for project in projects {
            all.projects.insert(project.name.clone(), project);
        }
        all.name_project(DEFAULT, now);
        all
    }

    /// Has a project be there.
    pub(super) fn name_project(&mut self, name: &str, now: Timestamp) {
        if !self.projects.contains_key(name) {
            self.projects.insert(name.to_owned(), ProjectInfo::named(name, now));
        }
    }

    /// Whether keys of this place may be made.
    pub(super) fn check(&self, project: &str, environment: Environment) -> Result<(), GateError> {
        let has = |project: &ProjectInfo| project.environments.contains(&environment);
        if self.projects.get(project).is_none_or(has) {
            return Ok(());
        }
        let expected = format!("an environment of project {project:?}");
        Err(GateError::invalid("environment", expected, environment.as_str()))
    }

    /// A project as it is after a change.
    fn changed(&self, old: ProjectInfo, change: NewPlace) -> Result<ProjectInfo, GateError> {
        let NewPlace { organization, title, environments, .. } = change;
        let organization = organization.unwrap_or(old.organization);
        if !self.organizations.contains_key(&organization) {
            let expected = "the name of an organization";
            return Err(GateError::invalid("organization", expected, shown(&organization)));
        }
        let title = checked_title(title)?.unwrap_or(old.title);
        let mut environments = environments.unwrap_or(old.environments);
        environments.sort_unstable();
        environments.dedup();
        if environments.is_empty() {
            return Err(GateError::invalid("environments", "one at the least", "none"));
        }
        Ok(ProjectInfo { organization, title, environments, ..old })
    }
}

impl ProjectInfo {
    fn named(name: &str, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            organization: DEFAULT.to_owned(),
            title: String::new(),
            environments: all(),
            created_at: now,
        }
    }
}

/// Checks the name of a project or an organization.
pub(super) fn check_name(field: &'static str, name: &str) -> Result<(), GateError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if begins && name.len() <= MAX_NAME && name.chars().all(plain) {
        return Ok(());
    }
    let expected =
        format!("1 to {MAX_NAME} letters, digits, `-`, `_` or `.`, first a letter or digit");
    Err(GateError::invalid(field, expected, shown(name)))
}

fn checked_title(title: Option<String>) -> Result<Option<String>, GateError> {
    let bad = |title: &String| title.len() > MAX_TITLE || title.chars().any(char::is_control);
    if title.as_ref().is_some_and(bad) {
        let expected = format!("at most {MAX_TITLE} bytes without control characters");
        return Err(GateError::invalid("title", expected, "another"));
    }
    Ok(title)
}

fn unknown(what: &'static str, name: &str) -> GateError {
    GateError::UnknownPlace { what, name: shown(name) }
}

fn in_use(expected: &'static str, name: &str) -> GateError {
    GateError::Place { expected, name: name.to_owned() }
}

fn shown(name: &str) -> String {
    name.chars().take(MAX_NAME).collect()
}

fn all() -> Vec<Environment> {
    vec![Environment::Production, Environment::Staging, Environment::Development]
}

/// What a fresh install has (SPEC §1).
const DEFAULT: &str = "default";

const MAX_NAME: usize = 64;

const MAX_TITLE: usize = 100;

const MAX_PROJECTS: usize = 10_000;

const MAX_ORGANIZATIONS: usize = 1000;
