//! A legal program, and what `spec::validate` says of it after a change.

use super::hand::{resident, with_tokens, Hand, FOLDS};
use super::named;
use spec::{validate, Command, Config, Execute, Load, Store, Tokens};

/// Places in the program of [`resident`].
pub const ACTIVATIONS: usize = 0;
pub const WEIGHTS: usize = 1;
pub const PARAMETERS: usize = 2;
pub const FIRST_FOLD: usize = 3;
pub const LAST_FOLD: usize = FIRST_FOLD + FOLDS - 1;
pub const STORE: usize = LAST_FOLD + 1;

/// The program of [`resident`] with two rows on the configuration `tiny`, or one like it.
pub struct Legal {
    pub config: Config,
    pub hand: Hand,
}

impl Legal {
    pub fn new() -> Self {
        Self::on(named("tiny"))
    }

    pub fn on(config: Config) -> Self {
        let hand = resident(&config, 2);
        assert_eq!(validate(&config, &hand.commands, hand.memory.len()), Ok(()));
        Self { config, hand }
    }

    /// The refusal of the program after a change.
    pub fn refusal(&self, change: impl FnOnce(&mut Vec<Command>)) -> String {
        let mut commands = self.hand.commands.clone();
        change(&mut commands);
        let error = validate(&self.config, &commands, self.hand.memory.len()).expect_err("the change breaks it");
        error.to_string()
    }

    /// The refusal after a change of one command's token flags, or of two.
    pub fn tokens(&self, changes: &[(usize, Tokens)]) -> String {
        self.refusal(|commands| {
            for &(index, tokens) in changes {
                commands[index] = with_tokens(commands[index], tokens);
            }
        })
    }

    /// The refusal after a change of the load at a place.
    pub fn load_at(&self, index: usize, change: impl FnOnce(&mut Load)) -> String {
        self.refusal(|commands| match &mut commands[index] {
            Command::Load(load) => change(load),
            other => panic!("{other:?}"),
        })
    }

    /// The refusal after a change of the activations' load.
    pub fn load(&self, change: impl FnOnce(&mut Load)) -> String {
        self.load_at(ACTIVATIONS, change)
    }

    /// The refusal after a change of the first fold.
    pub fn execute(&self, change: impl FnOnce(&mut Execute)) -> String {
        self.refusal(|commands| match &mut commands[FIRST_FOLD] {
            Command::Execute(execute) => change(execute),
            other => panic!("{other:?}"),
        })
    }

    /// The refusal after a change of the store.
    pub fn store(&self, change: impl FnOnce(&mut Store)) -> String {
        self.refusal(|commands| match &mut commands[STORE] {
            Command::Store(store) => change(store),
            other => panic!("{other:?}"),
        })
    }
}
