//! Reads the shape of a type off its `Deserialize`: every field and every variant of everything in it, in order, as a format without
//! names takes them.
//!
//! The type is read again and again from nothing. Each time another variant of a choice is taken, until none is left that was not
//! taken, nor one in it. Types that hold themselves have no end and are not for this.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write};

use serde::Deserialize;
use serde::de::value::{Error, U32Deserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// A text that every type takes for one of its own: it names an advisory, and is JSON.
const ANY_TEXT: &str = "1";

/// What was read so far.
#[derive(Default)]
struct Seen {
    /// Shapes by name; types that share a name have one each.
    shapes: BTreeMap<String, BTreeSet<String>>,
    /// Variants in which nothing is left to be seen.
    done: BTreeSet<(String, usize)>,
    /// How often something was new, or done with.
    news: usize,
}

impl Seen {
    fn note(&mut self, name: &str, shape: String) {
        self.news += usize::from(self.shapes.entry(name.to_owned()).or_default().insert(shape));
    }
}

/// The shapes of `T` and of all that is in it, one a line, sorted by name.
pub fn of<T: DeserializeOwned>() -> String {
    let seen = RefCell::new(Seen::default());
    loop {
        let before = seen.borrow().news;
        let mut whole = String::new();
        T::deserialize(Reader { seen: &seen, shape: &mut whole })
            .unwrap_or_else(|problem| panic!("{whole}: {problem}"));
        seen.borrow_mut().note("=", whole);
        if before == seen.borrow().news {
            break;
        }
    }
    let mut text = String::new();
    for (name, shapes) in &seen.borrow().shapes {
        for shape in shapes {
            writeln!(text, "{name} {shape}").unwrap();
        }
    }
    text
}

/// Reads one value, and writes down what is asked of it.
struct Reader<'s> {
    seen: &'s RefCell<Seen>,
    shape: &'s mut String,
}

impl Reader<'_> {
    fn inner<'i>(&'i mut self) -> Reader<'i> {
        Reader { seen: self.seen, shape: self.shape }
    }
}

macro_rules! plain {
    ($($method:ident $visit:ident $name:literal $value:expr,)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.shape.push_str($name);
            visitor.$visit($value)
        })+
    };
}

macro_rules! refused {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::custom(concat!(stringify!($method), " is nothing that postcard could read")))
        })+
    };
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Error;

    plain! {
        deserialize_bool visit_bool "bool" false,
        deserialize_i8 visit_i8 "i8" 0,
        deserialize_i16 visit_i16 "i16" 0,
        deserialize_i32 visit_i32 "i32" 0,
        deserialize_i64 visit_i64 "i64" 0,
        deserialize_u8 visit_u8 "u8" 0,
        deserialize_u16 visit_u16 "u16" 0,
        deserialize_u32 visit_u32 "u32" 0,
        deserialize_u64 visit_u64 "u64" 0,
        deserialize_f32 visit_f32 "f32" 0.0,
        deserialize_f64 visit_f64 "f64" 0.0,
        deserialize_char visit_char "char" 'a',
        deserialize_str visit_str "str" ANY_TEXT,
        deserialize_string visit_str "str" ANY_TEXT,
        deserialize_bytes visit_bytes "bytes" &[],
        deserialize_byte_buf visit_bytes "bytes" &[],
    }

    refused! { deserialize_any deserialize_identifier deserialize_ignored_any }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.shape.push_str("()");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.shape.push_str("option ");
        visitor.visit_some(self.inner())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(mut self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self.inner())
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.shape.push_str("list ");
        visitor.visit_seq(Row { reader: self.inner(), names: &[], at: 0, length: 1 })
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Error> {
        self.shape.push_str("map ");
        visitor.visit_map(Row { reader: self.inner(), names: &[], at: 0, length: 1 })
    }

    fn deserialize_tuple<V: Visitor<'de>>(mut self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.shape.push('(');
        let value = visitor.visit_seq(Row { reader: self.inner(), names: &[], at: 0, length })?;
        self.shape.push(')');
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let mut shape = String::new();
        let reader = Reader { seen: self.seen, shape: &mut shape };
        let value = visitor.visit_seq(Row { reader, names: fields, at: 0, length: fields.len() })?;
        self.seen.borrow_mut().note(name, format!("{{{shape}}}"));
        self.shape.push_str(name);
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        // Choices that share a name are told apart by what there is to choose.
        let choice = format!("{name} of {}", variants.join("|"));
        let is_open = |at: &usize| !self.seen.borrow().done.contains(&(choice.clone(), *at));
        let at = (0..variants.len()).find(is_open).unwrap_or(0);
        let before = self.seen.borrow().news;
        let mut shape = String::new();
        let value = visitor.visit_enum(Chosen { at, reader: Reader { seen: self.seen, shape: &mut shape } })?;
        let mut seen = self.seen.borrow_mut();
        seen.note(
            name,
            format!("{at:>2} {} {shape}", variants.get(at).copied().unwrap_or_default()).trim_end().to_owned(),
        );
        if seen.news == before {
            let is_news = seen.done.insert((choice, at));
            seen.news += usize::from(is_news);
        }
        self.shape.push_str(name);
        Ok(value)
    }
}

/// Values in a row: the fields of a structure, or one of a list.
struct Row<'s> {
    reader: Reader<'s>,
    names: &'static [&'static str],
    at: usize,
    length: usize,
}

impl<'de> SeqAccess<'de> for Row<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if self.at >= self.length {
            return Ok(None);
        }
        if self.at > 0 {
            self.reader.shape.push_str(", ");
        }
        if let Some(name) = self.names.get(self.at) {
            write!(self.reader.shape, "{name}: ").unwrap();
        }
        self.at += 1;
        seed.deserialize(self.reader.inner()).map(Some)
    }
}

impl<'de> MapAccess<'de> for Row<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        self.reader.shape.push_str(" to ");
        seed.deserialize(self.reader.inner())
    }
}

/// A variant that was chosen.
struct Chosen<'s> {
    at: usize,
    reader: Reader<'s>,
}

impl<'de, 's> EnumAccess<'de> for Chosen<'s> {
    type Error = Error;
    type Variant = Reader<'s>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Reader<'s>), Error> {
        let at = u32::try_from(self.at).map_err(told)?;
        let at: U32Deserializer<Error> = at.into_deserializer();
        Ok((seed.deserialize(at)?, self.reader))
    }
}

fn told(problem: impl Display) -> Error {
    Error::custom(problem)
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_tuple(length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.shape.push('{');
        let value = visitor.visit_seq(Row { reader: self.inner(), names: fields, at: 0, length: fields.len() })?;
        self.shape.push('}');
        Ok(value)
    }
}

#[test]
fn every_variant_is_reached_also_in_those_that_hold_one_another() {
    #[derive(Deserialize)]
    enum Inner {
        One,
        Two(u8, f32),
        Three { x: Option<String> },
    }
    #[derive(Deserialize)]
    enum Outer {
        Nothing,
        Held(Inner),
        Both { list: Vec<Inner>, map: BTreeMap<u8, Kept> },
    }
    #[derive(Deserialize)]
    struct Kept {
        id: u64,
        outer: Option<Box<Outer2>>,
    }
    #[derive(Deserialize)]
    enum Outer2 {
        A,
        B(i8),
    }
    // Read by its shape alone.
    let read = |outer: Outer| match outer {
        Outer::Nothing | Outer::Held(Inner::One) => 0,
        Outer::Held(Inner::Two(whole, part)) => usize::from(whole) + part as usize,
        Outer::Held(Inner::Three { x }) => x.map_or(0, |text| text.len()),
        Outer::Both { list, map } => list.len() + map.into_values().map(kept).sum::<usize>(),
    };
    fn kept(kept: Kept) -> usize {
        kept.id as usize + kept.outer.map_or(0, |outer| if let Outer2::B(one) = *outer { one as usize } else { 0 })
    }
    assert_eq!(read(Outer::Nothing), 0);
    let _unused_shape = (Outer2::A, Inner::One);
    assert_eq!(
        of::<Outer>().lines().collect::<Vec<_>>(),
        [
            "= Outer",
            "Inner  0 One",
            "Inner  1 Two (u8, f32)",
            "Inner  2 Three {x: option str}",
            "Kept {id: u64, outer: option Outer2}",
            "Outer  0 Nothing",
            "Outer  1 Held Inner",
            "Outer  2 Both {list: list Inner, map: map u8 to Kept}",
            "Outer2  0 A",
            "Outer2  1 B i8",
        ]
    );
}
