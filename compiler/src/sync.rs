//! Turns dependencies between commands into tokens.
//!
//! Commands are listed in program order, a legal sequential run. For each of the six producer-consumer pairs the consumer's
//! needs are made monotone, and one token is pushed by the earliest event that satisfies a need which no earlier token
//! covers; it is popped by the command that first needs it. A push that would exceed the counters' limit is moved to a
//! later event of the producer, which satisfies the need as well.

use spec::command::TOKEN_LIMIT;
use spec::{Command, Tokens};

/// The three engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Load,
    Execute,
    Store,
}

/// An event of an engine that a later command waits for: its command's place in the program, and for execute whether the
/// weights' swap (false) or the last activation read (true) is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    pub command: usize,
    pub late: bool,
}

impl Event {
    /// The completion of a command.
    pub fn done(command: usize) -> Self {
        Self { command, late: true }
    }

    /// The swap of an execute command's weights.
    pub fn swap(command: usize) -> Self {
        Self { command, late: false }
    }
}

/// A command without tokens, and what it waits for.
#[derive(Clone, Debug)]
pub struct Step {
    pub command: Command,
    pub needs: Vec<Event>,
}

fn engine(command: &Command) -> Option<Engine> {
    match command {
        Command::Load(_) => Some(Engine::Load),
        Command::Execute(_) => Some(Engine::Execute),
        Command::Store(_) => Some(Engine::Store),
        // Store runs it, but it has no tokens: it waits for nothing and nobody waits for it.
        Command::Seed(_) | Command::Finish => None,
    }
}

fn tokens_mut(command: &mut Command) -> Option<&mut Tokens> {
    match command {
        Command::Load(load) => Some(&mut load.tokens),
        Command::Execute(execute) => Some(&mut execute.tokens),
        Command::Store(store) => Some(&mut store.tokens),
        Command::Seed(_) | Command::Finish => None,
    }
}

/// A token: pushed by an event, popped by the command at a place.
#[derive(Clone, Copy, Debug)]
struct Token {
    pushed: Event,
    popped: usize,
}

/// Sets the tokens of all commands so that every need is met.
pub fn synchronize(steps: Vec<Step>) -> Vec<Command> {
    let mut commands: Vec<Command> = steps.iter().map(|step| step.command).collect();
    let engines: Vec<Option<Engine>> = commands.iter().map(engine).collect();
    for producer in [Engine::Load, Engine::Execute, Engine::Store] {
        for consumer in [Engine::Load, Engine::Execute, Engine::Store] {
            if producer == consumer {
                continue;
            }
            // Only execute has an early event, and only towards load.
            let early = producer == Engine::Execute && consumer == Engine::Load;
            for token in pair(&steps, &engines, producer, consumer, early) {
                let first = first_neighbour(producer) == consumer;
                if let Some(tokens) = tokens_mut(&mut commands[token.pushed.command]) {
                    *(if first { &mut tokens.push_first } else { &mut tokens.push_second }) = true;
                }
                if let Command::Execute(execute) = &mut commands[token.pushed.command] {
                    execute.push_late |= early && token.pushed.late;
                }
                let first = first_neighbour(consumer) == producer;
                if let Some(tokens) = tokens_mut(&mut commands[token.popped]) {
                    *(if first { &mut tokens.pop_first } else { &mut tokens.pop_second }) = true;
                }
            }
        }
    }
    commands
}

fn first_neighbour(engine: Engine) -> Engine {
    match engine {
        Engine::Load => Engine::Execute,
        Engine::Execute | Engine::Store => Engine::Load,
    }
}

/// The tokens of one pair, in order.
fn pair(steps: &[Step], engines: &[Option<Engine>], producer: Engine, consumer: Engine, early: bool) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let producers: Vec<usize> = (0..steps.len()).filter(|&place| engines[place] == Some(producer)).collect();
    for (place, step) in steps.iter().enumerate().filter(|(place, _)| engines[*place] == Some(consumer)) {
        let of_producer = step.needs.iter().filter(|event| engines[event.command] == Some(producer));
        let Some(&need) = of_producer.max() else { continue };
        let need = if early { need } else { Event::done(need.command) };
        if tokens.last().is_some_and(|token| token.pushed >= need) {
            continue;
        }
        // The counter has room if the token that came TOKEN_LIMIT before is popped before this one is pushed.
        let after = tokens.len().checked_sub(TOKEN_LIMIT as usize).map_or(0, |index| tokens[index].popped + 1);
        let from = producers.partition_point(|&p| p < need.command.max(after));
        let chosen = producers.get(from).copied().filter(|&p| p < place);
        let event = chosen.map(|command| match command == need.command {
            true => need,
            false => Event { command, late: !early },
        });
        match (event, tokens.last_mut()) {
            // A command pushes one token a neighbour: a second need of the same command makes its push late.
            (Some(event), Some(last)) if last.pushed.command == event.command => last.pushed = last.pushed.max(event),
            (Some(pushed), _) => tokens.push(Token { pushed, popped: place }),
            // Nothing of the producer lies between: the token before covers the need if it is pushed late enough.
            (None, Some(last)) => last.pushed = last.pushed.max(need),
            (None, None) => unreachable!("a need lies before the command that has it"),
        }
    }
    tokens
}
