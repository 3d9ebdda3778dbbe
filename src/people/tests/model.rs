//! Sessions against a model that remembers every token there ever was.

use proptest::prelude::*;

use super::support::{House, NOW, PASSWORD, password, roles};
use crate::people::{Found, Granted, PeopleError, Role};

/// What may happen to people, in any order.
#[derive(Clone, Debug)]
enum Step {
    SignIn(usize),
    Refresh(usize),
    End(usize),
    Role(usize, Role),
    Password(usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let role = prop::sample::select(Role::ALL.to_vec());
    prop_oneof![
        4 => (0..3_usize).prop_map(Step::SignIn),
        4 => (0..40_usize).prop_map(Step::Refresh),
        1 => (0..40_usize).prop_map(Step::End),
        1 => (0..3_usize, role).prop_map(|(user, role)| Step::Role(user, role)),
        1 => (0..3_usize).prop_map(Step::Password),
        1 => Just(Step::Reopen),
    ]
}

/// Three users, and every pair of tokens there ever was.
struct Model {
    house: House,
    ids: [String; 3],
    /// The role that each has.
    roles: [Role; 3],
    /// Whether it is good.
    grants: Vec<(Granted, bool)>,
}

const NAMES: [&str; 3] = ["ann", "bob", "eve"];

impl Model {
    fn new() -> Self {
        let house = House::new();
        let ids = NAMES.map(|name| house.user(name, &[("shop", Role::Viewer)]).id.clone());
        Self { house, ids, roles: [Role::Viewer; 3], grants: Vec::new() }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::SignIn(user) => {
                // No more than have room beside each other.
                let of = |one: &&(Granted, bool)| one.1 && one.0.person.user.id == self.ids[user];
                if self.grants.iter().filter(of).count() < 10 {
                    self.grants.push((self.house.sign_in(NAMES[user], NOW), true));
                }
            }
            Step::Refresh(at) if at < self.grants.len() => self.refresh(at),
            Step::End(at) if at < self.grants.len() => {
                let session = self.grants[at].0.person.session.clone();
                let lives = self.end(|one| one.person.session == session);
                assert_eq!(self.house.people().end(&session).is_ok(), lives);
            }
            Step::Role(user, role) => {
                let (id, change) = (&self.ids[user], json(role));
                self.house.people().change(id, change, None).unwrap();
                if role != self.roles[user] {
                    self.end_all_of(user);
                }
                self.roles[user] = role;
            }
            Step::Password(user) => {
                let id = &self.ids[user];
                self.house.people().set_password(id, &password(PASSWORD), NOW).unwrap();
                self.end_all_of(user);
            }
            Step::Reopen => self.house.reopen(NOW),
            Step::Refresh(_) | Step::End(_) => {}
        }
    }

    fn refresh(&mut self, at: usize) {
        let session = self.grants[at].0.person.session.clone();
        let is_good = self.grants[at].1;
        let lives = self.end(|one| one.person.session == session);
        match self.house.people().refresh(self.grants[at].0.refresh.reveal(), NOW) {
            Ok(next) => {
                assert!(is_good);
                self.grants.push((next, true));
            }
            Err(PeopleError::Reused(_)) => assert!(lives && !is_good),
            Err(_) => assert!(!lives),
        }
    }

    fn end_all_of(&mut self, user: usize) {
        let id = self.ids[user].clone();
        self.end(|one| one.person.user.id == id);
    }

    /// Says that some are good no longer, and whether one of them was.
    fn end(&mut self, which: impl Fn(&Granted) -> bool) -> bool {
        let mut was_good = false;
        for (_, good) in self.grants.iter_mut().filter(|(one, _)| which(one)) {
            was_good |= std::mem::take(good);
        }
        was_good
    }

    fn check(&self) {
        for (granted, good) in &self.grants {
            let found = self.house.people().find(granted.access.reveal().as_bytes(), NOW);
            let role = match &found {
                Found::Person(person) => person.user.role_in("shop"),
                _ => None,
            };
            let user = self.ids.iter().position(|id| *id == granted.person.user.id);
            assert_eq!(role, good.then(|| self.roles[user.unwrap()]));
        }
    }
}

fn json(role: Role) -> crate::people::UserChange {
    roles(&format!(r#"{{"shop":"{}"}}"#, role.as_str()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn exactly_those_are_in_who_should_be(steps in prop::collection::vec(step(), 1..40)) {
        let mut model = Model::new();
        for step in steps {
            model.step(step);
            model.check();
        }
    }
}
