/// Declares a record: its fields stand once, in wire order, and both directions of the
/// encoding follow from them.
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident $(<$life:lifetime>)? {
            $( $(#[$field_meta:meta])* pub $field:ident : $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name $(<$life>)? {
            $( $(#[$field_meta])* pub $field: $type, )*
        }

        impl $(<$life>)? $crate::wire::Encode for $name $(<$life>)? {
            #[allow(unused_variables)]
            fn encode(&self, out: &mut Vec<u8>) {
                $( $crate::wire::Encode::encode(&self.$field, out); )*
            }
        }

        $crate::wire::decode_impl!($name $(<$life>)? { $($field),* });
    };
}

/// The decoding half of [`record!`]: a record without borrowed fields decodes from any lifetime.
macro_rules! decode_impl {
    ($name:ident { $($field:ident),* }) => {
        impl $crate::wire::Decode<'_> for $name {
            #[allow(unused_variables)]
            fn decode(
                reader: &mut $crate::wire::Reader<'_>,
            ) -> Result<Self, $crate::wire::DecodeError> {
                Ok(Self { $( $field: $crate::wire::Decode::decode(reader)?, )* })
            }
        }
    };
    ($name:ident <$life:lifetime> { $($field:ident),* }) => {
        impl<$life> $crate::wire::Decode<$life> for $name<$life> {
            fn decode(
                reader: &mut $crate::wire::Reader<$life>,
            ) -> Result<Self, $crate::wire::DecodeError> {
                Ok(Self { $( $field: $crate::wire::Decode::decode(reader)?, )* })
            }
        }
    };
}

pub(crate) use {decode_impl, record};
