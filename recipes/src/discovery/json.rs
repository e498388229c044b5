//! Instances as JSON, as the `JsonInstanceSerializer` of Curator 5 writes and reads them: the same
//! fields in the same order, and payloads with the name of a Java class.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::{Map, Value};

use super::uri::Part;
use super::{ServiceInstance, ServiceType, UriSpec};

/// Names the class of a payload that is an object.
const CLASS: &str = "@class";
/// What Java makes of an object, an array or a large number if no class is told.
const MAP_CLASS: &str = "java.util.LinkedHashMap";
const LIST_CLASS: &str = "java.util.ArrayList";
const LONG_CLASS: &str = "java.lang.Long";

/// The data of an instance's node.
pub(super) fn encode<P: Serialize>(
    instance: &ServiceInstance<P>,
    class: Option<&str>,
) -> serde_json::Result<Vec<u8>> {
    let payload = match &instance.payload {
        Some(payload) => serde_json::to_value(payload)?,
        None => Value::Null,
    };
    let uri_spec = instance.uri_spec.as_ref().map(parts_of);
    let mut fields = vec![
        ("name", instance.name.clone().into()),
        ("id", instance.id.clone().into()),
        ("address", instance.address.clone().into()),
        ("port", instance.port.into()),
        ("sslPort", instance.ssl_port.into()),
        ("payload", with_class(payload, class)),
        ("registrationTimeUTC", instance.registered_ms.into()),
        ("serviceType", instance.service_type.name().into()),
        ("uriSpec", uri_spec.unwrap_or(Value::Null)),
    ];
    // Readers older than this field need not see it, and those that know it take it for granted.
    // Curator writes none at all, unless told otherwise.
    if !instance.enabled {
        fields.push(("enabled", false.into()));
    }
    serde_json::to_vec(&Fields(fields))
}

/// A JSON object whose fields keep their order.
struct Fields(Vec<(&'static str, Value)>);

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn parts_of(spec: &UriSpec) -> Value {
    let parts = spec.parts().iter().map(|part| {
        let value = part.value.clone().into();
        let fields = [("value", value), ("variable", part.is_variable.into())];
        Value::Object(
            fields
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
        )
    });
    let parts = ("parts".to_owned(), parts.collect());
    Value::Object([parts].into_iter().collect())
}

/// Java knows by itself what texts, booleans, fractions and 32-bit numbers are. All else is told:
/// of an object in it, of others in an array of class and value.
fn with_class(payload: Value, class: Option<&str>) -> Value {
    let told = |default: &str| Value::from(class.unwrap_or(default));
    match payload {
        Value::Object(mut fields) => {
            fields.insert(CLASS.to_owned(), told(MAP_CLASS));
            Value::Object(fields)
        }
        Value::Array(_) => Value::Array(vec![told(LIST_CLASS), payload]),
        Value::Number(ref number) => match number.as_i64() {
            Some(long) if i32::try_from(long).is_err() => {
                Value::Array(vec![told(LONG_CLASS), payload])
            }
            _ => payload,
        },
        payload => payload,
    }
}

fn without_class(payload: Value) -> Value {
    match payload {
        Value::Object(mut fields) => {
            fields.remove(CLASS);
            Value::Object(fields)
        }
        Value::Array(mut items) if items.len() == 2 && items[0].is_string() => items.remove(1),
        payload => payload,
    }
}

/// Reads the data of an instance's node. Fields that are missing are as Curator takes them, and
/// those that are not known are passed over.
pub(super) fn decode<P: DeserializeOwned>(data: &[u8]) -> Result<ServiceInstance<P>, String> {
    let root = serde_json::from_slice(data).map_err(|error| error.to_string())?;
    let Value::Object(mut fields) = root else {
        return Err("not an object".to_owned());
    };
    let payload = without_class(fields.remove("payload").unwrap_or(Value::Null));
    let payload = serde_json::from_value(payload).map_err(|error| format!("payload: {error}"))?;
    let kind = text(&mut fields, "serviceType")?;
    let service_type = match &kind {
        None => ServiceType::default(),
        Some(kind) => {
            ServiceType::from_name(kind).ok_or_else(|| format!("serviceType is {kind}"))?
        }
    };
    let registered = fields
        .remove("registrationTimeUTC")
        .map_or(Some(0), |told| told.as_i64());
    let enabled = fields
        .remove("enabled")
        .map_or(Some(true), |told| told.as_bool());
    let uri_spec = match fields.remove("uriSpec") {
        None | Some(Value::Null) => None,
        Some(spec) => Some(uri_spec(&spec).ok_or("uriSpec has other parts")?),
    };
    Ok(ServiceInstance {
        name: text(&mut fields, "name")?.ok_or("no name")?,
        id: text(&mut fields, "id")?.ok_or("no id")?,
        address: text(&mut fields, "address")?,
        port: number(&mut fields, "port")?,
        ssl_port: number(&mut fields, "sslPort")?,
        payload,
        registered_ms: registered.ok_or("registrationTimeUTC is no number")?,
        service_type,
        uri_spec,
        enabled: enabled.ok_or("enabled is no boolean")?,
    })
}

fn uri_spec(spec: &Value) -> Option<UriSpec> {
    let parts = spec.get("parts")?.as_array()?.iter().map(|part| {
        Some(Part {
            value: part.get("value")?.as_str()?.to_owned(),
            is_variable: part.get("variable")?.as_bool()?,
        })
    });
    parts.collect::<Option<_>>().map(UriSpec::from_parts)
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} is no text")),
    }
}

fn number(fields: &mut Map<String, Value>, name: &str) -> Result<Option<i32>, String> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
            number
                .map(Some)
                .ok_or_else(|| format!("{name} is no number of 32 bits"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    use serde_json::json;

    use super::*;

    fn instance<P>() -> ServiceInstance<P> {
        ServiceInstance::new("web", "1", SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn fields_are_written_in_curators_order() {
        let spec = UriSpec::parse("{scheme}://x").expect("pairs");
        let full = instance().address("10.0.0.1").port(80).ssl_port(443);
        let full = full.payload("hello").uri_spec(spec);
        let text = encode(&full, None).expect("written");
        let expected = "{\"name\":\"web\",\"id\":\"1\",\"address\":\"10.0.0.1\",\"port\":80,\
            \"sslPort\":443,\"payload\":\"hello\",\"registrationTimeUTC\":0,\
            \"serviceType\":\"DYNAMIC\",\"uriSpec\":{\"parts\":[{\"value\":\"scheme\",\
            \"variable\":true},{\"value\":\"://x\",\"variable\":false}]}}";
        assert_eq!(String::from_utf8_lossy(&text), expected);
    }

    #[test]
    fn payloads_come_back_whatever_their_kind() {
        for (payload, class, written) in [
            (json!("text"), None, json!("text")),
            (json!(true), None, json!(true)),
            (json!(1.5), None, json!(1.5)),
            (json!(7), None, json!(7)),
            (json!(1_u64 << 40), None, json!([LONG_CLASS, 1_u64 << 40])),
            (json!({"a": 1}), None, json!({"@class": MAP_CLASS, "a": 1})),
            (
                json!({"a": 1}),
                Some("x.Y"),
                json!({"@class": "x.Y", "a": 1}),
            ),
            (json!(["a", "b"]), None, json!([LIST_CLASS, ["a", "b"]])),
        ] {
            let told = instance::<Value>().payload(payload.clone());
            let data = encode(&told, class).expect("written");
            let raw: Value = serde_json::from_slice(&data).expect("JSON");
            assert_eq!(raw["payload"], written);
            let read = decode::<Value>(&data).expect("read");
            assert_eq!(read.payload, Some(payload));
        }
        let mut nothing = instance::<BTreeMap<String, String>>();
        for enabled in [true, false] {
            nothing.enabled = enabled;
            let data = encode(&nothing, None).expect("written");
            assert_eq!(decode(&data), Ok(nothing.clone()));
        }
    }

    #[test]
    fn what_is_read_may_lack_fields_but_not_the_names() {
        let read = decode::<String>(br#"{"name":"web","id":"1","new":[1]}"#);
        assert_eq!(read, Ok(instance()));
        for (data, reason) in [
            (&b""[..], "EOF while parsing a value at line 1 column 0"),
            (b"[]", "not an object"),
            (br#"{"id":"1"}"#, "no name"),
            (br#"{"name":"web"}"#, "no id"),
            (br#"{"name":1,"id":"1"}"#, "name is no text"),
            (br#"{"port":4294967296}"#, "no name"),
            (
                br#"{"name":"web","id":"1","port":4294967296}"#,
                "port is no number of 32 bits",
            ),
            (
                br#"{"name":"web","id":"1","serviceType":"X"}"#,
                "serviceType is X",
            ),
            (
                br#"{"name":"web","id":"1","uriSpec":{}}"#,
                "uriSpec has other parts",
            ),
            (
                br#"{"name":"web","id":"1","enabled":1}"#,
                "enabled is no boolean",
            ),
            (
                br#"{"name":"web","id":"1","payload":{"a":1}}"#,
                "payload: invalid type: map, expected a string",
            ),
        ] {
            assert_eq!(decode::<String>(data), Err(reason.to_owned()));
        }
    }
}
