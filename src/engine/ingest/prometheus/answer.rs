//! Reads the JSON of the Prometheus query API into plain points: typed and borrowed from the body, so that a large answer is not
//! copied before it is known what of it is kept. Source of the shapes: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::engine::clock::Timestamp;
use crate::engine::ingest::normalize;
use crate::engine::model::DropReason;

/// What surrounds every answer.
#[derive(Debug, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Envelope<'a, T> {
    #[serde(borrow)]
    status: Text<'a>,
    data: Option<T>,
    #[serde(borrow, default, rename = "errorType")]
    error_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    error: Option<Text<'a>>,
    #[serde(borrow, default)]
    warnings: Option<Vec<Text<'a>>>,
}

/// An answer that is a success, with the warnings that came along (an answer with warnings is a partial one).
#[derive(Debug)]
pub struct Told<T> {
    /// What was asked for.
    pub data: T,
    /// The server's own warnings.
    pub warnings: Vec<String>,
}

/// The series of a range or instant query.
#[derive(Debug, Deserialize)]
pub struct Matrix<'a> {
    /// One for each label set.
    #[serde(borrow)]
    pub result: Vec<Entry<'a>>,
}

/// One series with its points.
#[derive(Debug, Deserialize)]
pub struct Entry<'a> {
    /// Its labels, in the server's order.
    #[serde(borrow)]
    pub metric: Pairs<'a>,
    /// The point of an instant query.
    #[serde(default)]
    pub value: Option<Point>,
    /// The points of a range query, in order of time.
    #[serde(default)]
    pub values: Vec<Point>,
    /// A native histogram of an instant query; only counted.
    #[serde(default)]
    pub histogram: Option<IgnoredAny>,
    /// Native histograms of a range query; only counted.
    #[serde(default)]
    pub histograms: Vec<IgnoredAny>,
}

/// Text borrowed from the body where it holds no escapes.
#[derive(Debug, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Borrowing<'a> {
            type Value = Text<'a>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'a>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrowing(PhantomData))
    }
}

/// Labels as name and value.
#[derive(Debug, Default)]
pub struct Pairs<'a>(pub Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for InOrder<'a> {
            type Value = Pairs<'a>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("labels")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'a>, A::Error> {
                let mut pairs = Vec::with_capacity(8);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

/// One point as told: a stamp by the server's clock and a value, or why the value cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// By the server's clock.
    pub at: Timestamp,
    /// What was measured.
    pub value: Result<f64, DropReason>,
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StampAndValue;
        impl<'de> Visitor<'de> for StampAndValue {
            type Value = Point;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a pair of a stamp in seconds and a value in quotes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Point, A::Error> {
                let seconds: f64 = pair.next_element()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                let value: PointValue = pair.next_element()?.ok_or_else(|| de::Error::invalid_length(1, &self))?;
                while pair.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Point { at: stamp_of(seconds), value: value.0 })
            }
        }
        deserializer.deserialize_seq(StampAndValue)
    }
}

/// Seconds to milliseconds. What lies outside of the calendar comes out at its edge and is set aside by its stamp.
fn stamp_of(seconds: f64) -> Timestamp {
    // A float-to-integer cast saturates and turns NaN into 0, which is what is wanted of a stamp that makes no sense.
    Timestamp((seconds * 1_000.0).round() as i64)
}

struct PointValue(Result<f64, DropReason>);

impl<'de> Deserialize<'de> for PointValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberInQuotes;
        impl Visitor<'_> for NumberInQuotes {
            type Value = PointValue;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a value in quotes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PointValue, E> {
                Ok(PointValue(normalize::value_text(text)))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<PointValue, E> {
                Ok(PointValue(normalize::value(value)))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<PointValue, E> {
                Ok(PointValue(Ok(value as f64)))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<PointValue, E> {
                Ok(PointValue(Ok(value as f64)))
            }

            fn visit_unit<E: de::Error>(self) -> Result<PointValue, E> {
                Ok(PointValue(Err(DropReason::Malformed)))
            }
        }
        deserializer.deserialize_any(NumberInQuotes)
    }
}

/// Reads an answer.
///
/// # Errors
/// Says in words what is there instead: a page in HTML, an error with the status of a success, JSON of another shape.
pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<Told<T>, String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err("an empty answer".to_owned()),
        Some(b'<') => return Err("a page in HTML instead of JSON".to_owned()),
        Some(_) => {}
    }
    let envelope: Envelope<'a, T> =
        serde_json::from_slice(body).map_err(|problem| format!("JSON that cannot be read: {problem}"))?;
    if envelope.status.0 != "success" {
        let kind = envelope.error_type.map_or(Cow::Borrowed("error"), |text| text.0);
        let words = envelope.error.map_or(Cow::Borrowed("no message"), |text| text.0);
        return Err(format!("{kind}: {words}"));
    }
    let data = envelope.data.ok_or_else(|| "a success without data".to_owned())?;
    let warnings = envelope.warnings.unwrap_or_default().into_iter().map(|text| text.0.into_owned()).collect();
    Ok(Told { data, warnings })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matrix(body: &str) -> Result<Told<Matrix<'_>>, String> {
        read::<Matrix<'_>>(body.as_bytes())
    }

    #[test]
    fn a_matrix_is_read_with_what_cannot_be_taken_named() {
        let body = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"__name__":"up","job":"a\"b"},"values":[[1700000000.123,"1"],[1700000015,"NaN"],[1700000030,"+Inf"],[1700000045,"x"]],"new":{"a":[1]}},
            {"metric":{},"histograms":[[1700000000,{"count":"1","buckets":[[0,"1","2","3"]]}]]}]},
            "warnings":["PromQL warning: \u001b[31m"],"infos":["metric might not be a counter"]}"#;
        let told = matrix(body).unwrap();
        let points: Vec<(i64, Result<f64, DropReason>)> =
            told.data.result[0].values.iter().map(|point| (point.at.0, point.value)).collect();
        assert_eq!(
            points,
            [
                (1_700_000_000_123, Ok(1.0)),
                (1_700_000_015_000, Err(DropReason::NotANumber)),
                (1_700_000_030_000, Err(DropReason::Infinite)),
                (1_700_000_045_000, Err(DropReason::Malformed)),
            ]
        );
        assert_eq!(told.data.result[0].metric.0[1].1.0, "a\"b");
        assert_eq!(told.data.result[1].histograms.len(), 1);
        assert_eq!(told.warnings.len(), 1);
    }

    #[test]
    fn what_is_no_answer_is_said_in_words() {
        for (body, said) in [
            ("", "empty"),
            ("  <!doctype html><title>Sign in</title>", "HTML"),
            (
                r#"{"status":"error","errorType":"timeout","error":"too slow","data":{"result":[]}}"#,
                "timeout: too slow",
            ),
            (r#"{"status":"success"}"#, "without data"),
            (r#"{"status":"success","data":{"result":{"not":"a list"}}}"#, "cannot be read"),
            (r#"{"status":"success","data":{"result":[{"metric":{},"values":[[1]]}]}}"#, "cannot be read"),
            (r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#, "cannot be read"),
            (r#"{"status":"success","status":"error"}"#, "cannot be read"),
            (r#"{"status":"success","data":{"result":["#, "cannot be read"),
        ] {
            let problem = matrix(body).unwrap_err();
            assert!(problem.contains(said), "{body}: {problem}");
        }
        let nested = format!(r#"{{"status":"success","data":{}"#, "[".repeat(100_000));
        assert!(matrix(&nested).is_err());
        let unknown_nested = format!(r#"{{"x":{}"#, "[".repeat(100_000));
        assert!(matrix(&unknown_nested).is_err());
        assert!(read::<Matrix<'_>>(b"{\"status\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_byte_order_mark_and_null_warnings_are_tolerated() {
        let body = "\u{feff}{\"status\":\"success\",\"warnings\":null,\"data\":{\"result\":[]}}";
        assert!(matrix(body).unwrap().data.result.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_but_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _any = read::<Matrix<'_>>(&bytes);
            let _any = read::<Vec<Text<'_>>>(&bytes);
        }

        #[test]
        fn damaged_answers_are_read_or_refused_but_never_panic(at in 0_usize..150, byte in any::<u8>(), keep in 0_usize..150) {
            let mut body = br#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"job":"a"},"values":[[1700000000,"1"],[1.7e9,"2"]]}]},"warnings":["w"]}"#.to_vec();
            if let Some(place) = body.get_mut(at) {
                *place = byte;
            }
            body.truncate(keep.max(1));
            let _any = read::<Matrix<'_>>(&body);
        }

        #[test]
        fn any_stamp_becomes_an_instant(seconds in any::<f64>()) {
            let _any = stamp_of(seconds).to_string();
        }
    }
}
