//! From tokens to steps.
//!
//! Answers what follows what, by CEL's grammar, and writes the steps while it reads: operands before what takes them. What the
//! values are is asked of `meaning` on the way, so one walk finds wrong types as well. Reading stops at the first token that
//! does not fit; flaws of meaning before it are all kept.

use homeostat_core::{Arithmetic, Comparison, Condition, Search, Step, Value, Variable};

use super::meaning::{self, Part, Typed};
use super::token::{Kind, Token, tokens};
use super::{DEPTH_MAX, FLAWS_MAX, Flaw};

/// The steps of `text`.
pub(super) fn parse(text: &str) -> Result<Vec<Step>, Vec<Flaw>> {
    let tokens = tokens(text).map_err(|flaw| vec![flaw])?;
    let mut parser = Parser { tokens, next: 0, depth: 0, steps: Vec::new(), flaws: Vec::new() };
    let read = parser.whole();
    if let Err(flaw) = read {
        parser.flaws.push(flaw);
    }
    parser.flaws.sort_by_key(|flaw| flaw.start);
    parser.flaws.truncate(FLAWS_MAX);
    if parser.flaws.is_empty() { Ok(parser.steps) } else { Err(parser.flaws) }
}

/// A token that does not fit ends the reading.
type Read<T> = Result<T, Flaw>;

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
    steps: Vec<Step>,
    flaws: Vec<Flaw>,
}

impl Parser {
    fn whole(&mut self) -> Read<()> {
        if self.kind() == &Kind::End {
            return Err(self.flaw("empty; a condition says when, like service.utilization > 0.8"));
        }
        let whole = self.choice()?;
        if self.kind() != &Kind::End {
            return Err(self.unexpected());
        }
        self.note(meaning::whole(&whole));
        Ok(())
    }

    fn kind(&self) -> &Kind {
        &self.tokens[self.next].kind
    }

    fn start(&self) -> usize {
        self.tokens[self.next].start
    }

    fn flaw(&self, what: impl Into<String>) -> Flaw {
        Flaw { start: self.start(), what: what.into() }
    }

    fn unexpected(&self) -> Flaw {
        let before = self.next.checked_sub(1).map(|before| &self.tokens[before].kind);
        self.flaw(match (self.kind(), before) {
            (Kind::Sign("%"), _) | (_, Some(Kind::Sign("%"))) => {
                "there is no percent here; a share is written 0.8".to_owned()
            }
            (Kind::End, _) => "the condition ends too early".to_owned(),
            (Kind::Word(word), _) if matches!(word.as_str(), "and" | "AND") => "both is written &&".to_owned(),
            (Kind::Word(word), _) if matches!(word.as_str(), "or" | "OR") => "either is written ||".to_owned(),
            (Kind::Word(word), _) if matches!(word.as_str(), "not" | "NOT") => "the opposite is written !".to_owned(),
            (Kind::Word(word), _) => format!("{word} does not fit here; is an operator missing before it?"),
            (Kind::Sign(sign), _) => format!("{sign} does not fit here"),
            (Kind::Text(_) | Kind::Whole(_) | Kind::Millionths(_), _) => {
                "this value does not fit here; is an operator missing before it?".to_owned()
            }
        })
    }

    /// The next token, which is left behind.
    fn advance(&mut self) -> Token {
        let token = self.tokens[self.next].clone();
        // The last token is never left behind, so there is always a next one.
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    /// Whether the next token is `sign`; then it is left behind.
    fn takes(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.kind(), Kind::Sign(next) if *next == sign);
        if is_next {
            self.advance();
        }
        is_next
    }

    fn expect(&mut self, sign: &'static str) -> Read<()> {
        if self.takes(sign) { Ok(()) } else { Err(self.flaw(format!("{sign} is missing here"))) }
    }

    /// The first of `signs` that is next, with its place; then it is left behind.
    fn one_of(&mut self, signs: &[&'static str]) -> Option<(usize, &'static str)> {
        let start = self.start();
        let sign = signs.iter().find(|sign| matches!(self.kind(), Kind::Sign(next) if next == *sign))?;
        self.advance();
        Some((start, sign))
    }

    fn note(&mut self, flaw: Option<Flaw>) {
        if self.flaws.len() < FLAWS_MAX {
            self.flaws.extend(flaw);
        }
    }

    fn emit(&mut self, step: Step, start: usize) -> Read<()> {
        if Condition::STEPS_MAX <= self.steps.len() {
            let what = format!("more than {} values and operators; write several rules", Condition::STEPS_MAX);
            return Err(Flaw { start, what });
        }
        self.steps.push(step);
        Ok(())
    }

    fn combine(&mut self, step: Step, start: usize, sides: [Typed; 2]) -> Read<Typed> {
        let (typed, flaw) = meaning::combine(&step, start, &sides);
        self.note(flaw);
        self.emit(step, start)?;
        Ok(typed)
    }

    /// `a ? b : c`, and everything that binds tighter.
    fn choice(&mut self) -> Read<Typed> {
        self.depth += 1;
        if DEPTH_MAX < self.depth {
            return Err(self.flaw(format!("nested deeper than {DEPTH_MAX}; write several rules")));
        }
        let condition = self.either()?;
        let start = self.start();
        let typed = if self.takes("?") {
            let yes = self.either()?;
            self.expect(":")?;
            let no = self.choice()?;
            self.emit(Step::Choose, start)?;
            let (typed, flaw) = meaning::choose(&condition, &yes, &no);
            self.note(flaw);
            typed
        } else {
            condition
        };
        self.depth -= 1;
        Ok(typed)
    }

    fn either(&mut self) -> Read<Typed> {
        let mut left = self.both()?;
        while let Some((start, _)) = self.one_of(&["||"]) {
            let right = self.both()?;
            left = self.combine(Step::Or, start, [left, right])?;
        }
        Ok(left)
    }

    fn both(&mut self) -> Read<Typed> {
        let mut left = self.relation()?;
        while let Some((start, _)) = self.one_of(&["&&"]) {
            let right = self.relation()?;
            left = self.combine(Step::And, start, [left, right])?;
        }
        Ok(left)
    }

    fn relation(&mut self) -> Read<Typed> {
        let mut left = self.sum()?;
        loop {
            if matches!(self.kind(), Kind::Word(word) if word == "in") {
                left = self.is_in(left)?;
                continue;
            }
            let Some((start, sign)) = self.one_of(&["==", "!=", "<=", ">=", "<", ">"]) else { return Ok(left) };
            let right = self.sum()?;
            left = self.combine(Step::Compare(comparison(sign)), start, [left, right])?;
        }
    }

    /// `x in [a, b]`
    fn is_in(&mut self, needle: Typed) -> Read<Typed> {
        let start = self.advance().start;
        if !self.takes("[") {
            return Err(self.flaw("in is followed by a list, like [\"a\", \"b\"]"));
        }
        let mut options: u16 = 0;
        while !self.takes("]") {
            let option = self.choice()?;
            self.note(meaning::equal(&needle, &option));
            options += 1;
            if !self.takes(",") && !matches!(self.kind(), Kind::Sign("]")) {
                return Err(self.flaw("] is missing here"));
            }
        }
        self.emit(Step::IsIn(options), start)?;
        Ok(meaning::flag(start))
    }

    fn sum(&mut self) -> Read<Typed> {
        let mut left = self.product()?;
        while let Some((start, sign)) = self.one_of(&["+", "-"]) {
            let right = self.product()?;
            let arithmetic = if sign == "+" { Arithmetic::Add } else { Arithmetic::Subtract };
            left = self.combine(Step::Calculate(arithmetic), start, [left, right])?;
        }
        Ok(left)
    }

    fn product(&mut self) -> Read<Typed> {
        let mut left = self.unary()?;
        while let Some((start, sign)) = self.one_of(&["*", "/", "%"]) {
            let arithmetic = match sign {
                "*" => Arithmetic::Multiply,
                "/" => Arithmetic::Divide,
                _ => Arithmetic::Remainder,
            };
            let right = self.unary()?;
            left = self.combine(Step::Calculate(arithmetic), start, [left, right])?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Read<Typed> {
        let Some((start, sign)) = self.one_of(&["!", "-"]) else { return self.member() };
        self.depth += 1;
        if DEPTH_MAX < self.depth {
            return Err(self.flaw(format!("nested deeper than {DEPTH_MAX}; write several rules")));
        }
        let operand = self.unary()?;
        self.depth -= 1;
        let step = if sign == "!" { Step::Not } else { Step::Negate };
        let (typed, flaw) = meaning::prefix(&step, start, &operand);
        self.note(flaw);
        self.emit(step, start)?;
        Ok(typed)
    }

    /// A value and what is asked of it: `service.name.contains("x")`.
    fn member(&mut self) -> Read<Typed> {
        let start = self.start();
        let mut value = match self.advance().kind {
            Kind::Whole(number) => self.constant(Value::Whole(number), start)?,
            Kind::Millionths(number) => self.constant(Value::Millionths(number), start)?,
            Kind::Text(text) => self.constant(Value::Text(text), start)?,
            Kind::Word(word) if word == "true" || word == "false" => {
                self.constant(Value::Flag(word == "true"), start)?
            }
            Kind::Word(word) => self.named(word, start)?,
            Kind::Sign("(") => {
                let inner = self.choice()?;
                self.expect(")")?;
                inner
            }
            Kind::Sign("[") => {
                let what = "a list stands only behind in, like service.name in [\"a\", \"b\"]".to_owned();
                return Err(Flaw { start, what });
            }
            _ => {
                self.next = self.tokens.iter().position(|token| token.start == start).unwrap_or(self.next);
                return Err(self.unexpected());
            }
        };
        while self.takes(".") {
            let (start, name) = self.word()?;
            if !matches!(self.kind(), Kind::Sign("(")) {
                return Err(Flaw { start, what: format!("{name} must be followed by ( here") });
            }
            value = self.search(&name, start, value)?;
        }
        Ok(value)
    }

    fn constant(&mut self, value: Value, start: usize) -> Read<Typed> {
        let typed = meaning::constant(&value, start);
        self.emit(Step::Constant(value), start)?;
        Ok(typed)
    }

    fn word(&mut self) -> Read<(usize, String)> {
        let start = self.start();
        match self.advance().kind {
            Kind::Word(word) => Ok((start, word)),
            _ => Err(Flaw { start, what: "a name is missing here".to_owned() }),
        }
    }

    /// Names with dots between them, of which the last may be a function of what stands before it.
    fn path(&mut self, first: String, start: usize) -> Read<Vec<Part>> {
        let mut path = vec![Part { start, name: first, optional: false }];
        while let Some((_, sign)) = self.one_of(&[".", ".?"]) {
            let (start, name) = self.word()?;
            path.push(Part { start, name, optional: sign == ".?" });
        }
        Ok(path)
    }

    /// A variable, a function, or a function of a variable.
    fn named(&mut self, first: String, start: usize) -> Read<Typed> {
        let mut path = self.path(first, start)?;
        if !matches!(self.kind(), Kind::Sign("(")) {
            return self.variable(&path);
        }
        let function = path.pop().unwrap_or(Part { start, name: String::new(), optional: false });
        if path.is_empty() {
            return self.function(&function);
        }
        if function.name == "orValue" {
            return self.or_value(&path);
        }
        let receiver = self.variable(&path)?;
        self.search(&function.name, function.start, receiver)
    }

    fn variable(&mut self, path: &[Part]) -> Read<Typed> {
        let start = path[0].start;
        if path.iter().any(|part| part.optional) {
            self.note(Some(Flaw { start, what: "a name with .? is followed by .orValue(…)".to_owned() }));
        }
        let (variable, typed, flaw) = meaning::variable(path);
        self.note(flaw);
        self.emit(Step::Read(variable.unwrap_or(Variable::ServiceName)), start)?;
        Ok(typed)
    }

    /// `a.?b.orValue(c)`
    fn or_value(&mut self, path: &[Part]) -> Read<Typed> {
        let start = path[0].start;
        if !path.iter().any(|part| part.optional) {
            self.note(Some(Flaw {
                start,
                what: "orValue needs a .? before it, like service.?replicas.orValue(1)".to_owned(),
            }));
        }
        let plain: Vec<Part> = path.iter().map(|part| Part { optional: false, ..part.clone() }).collect();
        let value = self.variable(&plain)?;
        self.expect("(")?;
        let otherwise = self.choice()?;
        self.expect(")")?;
        self.note(meaning::equal(&value, &otherwise));
        self.emit(Step::OrElse, start)?;
        Ok(value)
    }

    fn search(&mut self, name: &str, start: usize, receiver: Typed) -> Read<Typed> {
        let search = match name {
            "contains" => Search::Contains,
            "startsWith" => Search::StartsWith,
            "endsWith" => Search::EndsWith,
            _ => return Err(Flaw { start, what: meaning::unknown_function(name) }),
        };
        self.expect("(")?;
        let wanted = self.choice()?;
        self.expect(")")?;
        self.combine(Step::Search(search), start, [receiver, wanted])
    }

    fn function(&mut self, function: &Part) -> Read<Typed> {
        let start = function.start;
        self.expect("(")?;
        let typed = match function.name.as_str() {
            "has" => self.about_variable(Step::IsFresh, start)?,
            "stale" => self.about_variable(Step::IsStale, start)?,
            "worst" => self.about_variable(Step::WorstCase, start)?,
            "duration" => self.duration()?,
            "double" | "int" => {
                let value = self.choice()?;
                let step = if function.name == "int" { Step::ToWhole } else { Step::ToDecimal };
                let (typed, flaw) = meaning::prefix(&step, start, &value);
                self.note(flaw);
                self.emit(step, start)?;
                typed
            }
            name => return Err(Flaw { start, what: meaning::unknown_function(name) }),
        };
        self.expect(")")?;
        Ok(typed)
    }

    /// The argument of a function that asks about a variable rather than for its value.
    fn about_variable(&mut self, step: fn(Variable) -> Step, start: usize) -> Read<Typed> {
        let (at, first) = self.word()?;
        let path = self.path(first, at)?;
        let (variable, typed, flaw) = meaning::variable(&path);
        self.note(flaw);
        let step = step(variable.unwrap_or(Variable::ServiceName));
        let is_value = matches!(step, Step::WorstCase(_));
        self.emit(step, start)?;
        Ok(if is_value { typed } else { meaning::flag(start) })
    }

    fn duration(&mut self) -> Read<Typed> {
        let start = self.start();
        let Kind::Text(text) = self.advance().kind else {
            return Err(Flaw { start, what: "duration takes a text, like duration(\"1m30s\")".to_owned() });
        };
        let span = meaning::span_us(&text);
        if span.is_none() {
            self.note(Some(Flaw {
                start,
                what: "must be a span of time, like \"500ms\", \"30s\" or \"1h30m\"".to_owned(),
            }));
        }
        self.constant(Value::SpanUs(span.unwrap_or(0)), start)
    }
}

fn comparison(sign: &str) -> Comparison {
    match sign {
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        _ => Comparison::GreaterOrEqual,
    }
}
