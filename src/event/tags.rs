//! What a parser can find wrong with a message.

/// A failure tag: the event is stored all the same (SPEC §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tag {
    /// Not JSON, or JSON that is no event (Logstash's tag).
    JsonParseFailure,
    /// A JSON line over the limit.
    JsonTooLarge,
    /// A time that could not be read; the time of receipt is used (Logstash's tag).
    TimestampParseFailure,
    /// `tags` that are no list of text (Logstash's tag).
    TagsParseFailure,
    /// A syslog header that could not be read whole (Logstash's tag).
    SyslogParseFailure,
    /// The message was cut at the limit.
    Truncated,
    /// Text that is not UTF-8; `event.original` has it to the octet.
    EncodingError,
    /// More fields than an event may have; the rest is in `event.original`.
    TooManyFields,
    /// A field whose name is the daemon's own; it is kept under `sender.`.
    ReservedField,
    /// A time that is far from ours; where it cannot be right, the time of receipt is used.
    ClockSkew,
    /// It was over a limit, and is stored all the same.
    Queued,
    /// It was over a limit, and is one of many: `event.sample_rate` says of how many.
    Sampled,
}

impl Tag {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::JsonParseFailure,
        Self::JsonTooLarge,
        Self::TimestampParseFailure,
        Self::TagsParseFailure,
        Self::SyslogParseFailure,
        Self::Truncated,
        Self::EncodingError,
        Self::TooManyFields,
        Self::ReservedField,
        Self::ClockSkew,
        Self::Queued,
        Self::Sampled,
    ];

    /// Whether it says that something is wrong with the message, and not how it was let in.
    pub const fn is_of_the_message(self) -> bool {
        !matches!(self, Self::Queued | Self::Sampled)
    }

    /// The tag as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JsonParseFailure => "_jsonparsefailure",
            Self::JsonTooLarge => "_jsontoolarge",
            Self::TimestampParseFailure => "_timestampparsefailure",
            Self::TagsParseFailure => "_tagsparsefailure",
            Self::SyslogParseFailure => "_grokparsefailure_sysloginput",
            Self::Truncated => "truncated",
            Self::EncodingError => "encoding_error",
            Self::TooManyFields => "too_many_fields",
            Self::ReservedField => "reserved_field",
            Self::ClockSkew => "clock_skew",
            Self::Queued => "queued",
            Self::Sampled => "sampled",
        }
    }
}
