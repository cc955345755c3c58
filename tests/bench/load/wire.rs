//! Protobuf, walked in place.
//!
//! Answers where the fields of a message lie, and where the few fields of each span lie that a sampler reads. Does not
//! validate text or types: a field of an unexpected type is passed over. It is not the agent's own reader, so that a mistake
//! there cannot hide behind the same mistake here.

/// The bytes are not protobuf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) number: u64,
    /// A varint or fixed number.
    pub(crate) number_value: u64,
    /// Where its payload lies in the whole buffer.
    pub(crate) at: usize,
    /// A length-delimited payload; empty for numbers.
    pub(crate) bytes: &'a [u8],
}

/// Reads fields one by one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    buffer: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(buffer: &'a [u8]) -> Reader<'a> {
        Reader { buffer, at: 0, end: buffer.len() }
    }

    /// Reads a field's payload as a message, keeping offsets into the same buffer.
    pub(crate) fn inside(self, field: &Field<'_>) -> Reader<'a> {
        Reader { buffer: self.buffer, at: field.at, end: field.at + field.bytes.len() }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.buffer[..self.end].get(self.at).ok_or(Malformed)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.end).ok_or(Malformed)?;
        let taken = &self.buffer[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// The next field; `None` at the end of the message.
    pub(crate) fn field(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.at == self.end {
            return Ok(None);
        }
        let tag = self.varint()?;
        let mut field = Field { number: tag >> 3, number_value: 0, at: self.at, bytes: &[] };
        match tag & 7 {
            0 => field.number_value = self.varint()?,
            1 => field.number_value = self.take(8)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                field.at = self.at;
                field.bytes = self.take(length)?;
            }
            5 => field.number_value = self.take(4)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            _ => return Err(Malformed),
        }
        Ok(Some(field))
    }
}

/// Where the fields of a span lie that change from request to request, and what a sampler reads of it. Zero: absent, because
/// no field of a span can lie at the start of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpanAt<'a> {
    pub(crate) service: &'a [u8],
    pub(crate) trace: &'a [u8],
    pub(crate) trace_at: usize,
    pub(crate) span_at: usize,
    pub(crate) parent_at: usize,
    pub(crate) start_at: usize,
    pub(crate) end_at: usize,
    pub(crate) event_at: usize,
    pub(crate) nanos: u64,
    pub(crate) is_error: bool,
}

/// Calls `visit` with each innermost item (span, record, metric) of a request: all three telemetry kinds are built
/// resource → scope → item with the same field numbers.
pub(crate) fn items<'a>(
    request: &'a [u8],
    mut visit: impl FnMut(&'a [u8], Reader<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut resources = Reader::new(request);
    while let Some(resource) = resources.field()? {
        let mut service: &[u8] = b"";
        let mut scopes = resources.inside(&resource);
        while let Some(scope) = scopes.field()? {
            if scope.number == 1 {
                service = service_name(scopes.inside(&scope))?.unwrap_or(service);
            }
            let mut contents = scopes.inside(&scope);
            while let Some(item) = if scope.number == 2 { contents.field()? } else { None } {
                if item.number == 2 {
                    visit(service, contents.inside(&item))?;
                }
            }
        }
    }
    Ok(())
}

fn service_name<'a>(mut attributes: Reader<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    while let Some(attribute) = attributes.field()? {
        let (mut key, mut value): (&[u8], &[u8]) = (b"", b"");
        let mut pair = attributes.inside(&attribute);
        while let Some(part) = pair.field()? {
            match part.number {
                1 => key = part.bytes,
                2 => value = part.bytes,
                _ => {}
            }
        }
        if key == b"service.name" {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// Reads one span.
pub(crate) fn span<'a>(service: &'a [u8], mut fields: Reader<'a>) -> Result<SpanAt<'a>, Malformed> {
    let mut span = SpanAt { service, ..SpanAt::default() };
    let mut start = 0;
    while let Some(field) = fields.field()? {
        match field.number {
            1 => (span.trace, span.trace_at) = (field.bytes, field.at),
            2 => span.span_at = field.at,
            4 if !field.bytes.is_empty() => span.parent_at = field.at,
            7 => (start, span.start_at) = (field.number_value, field.at),
            8 => (span.nanos, span.end_at) = (field.number_value.wrapping_sub(start), field.at),
            11 => span.event_at = first_at(fields.inside(&field), 1)?,
            15 => span.is_error = is_error(fields.inside(&field))?,
            _ => {}
        }
    }
    Ok(span)
}

fn is_error(mut status: Reader<'_>) -> Result<bool, Malformed> {
    let mut code = 0;
    while let Some(field) = status.field()? {
        code = if field.number == 3 { field.number_value } else { code };
    }
    Ok(code == 2)
}

/// Where the first field with this number lies; zero if there is none.
pub(crate) fn first_at(mut message: Reader<'_>, number: u64) -> Result<usize, Malformed> {
    while let Some(field) = message.field()? {
        if field.number == number {
            return Ok(field.at);
        }
    }
    Ok(0)
}

/// Calls `visit` with each data point of a metric, whatever its type.
pub(crate) fn points<'a>(
    mut metric: Reader<'a>,
    mut visit: impl FnMut(Reader<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    while let Some(data) = metric.field()? {
        let mut inner = metric.inside(&data);
        while let Some(point) = if matches!(data.number, 5 | 7 | 9 | 10 | 11) { inner.field()? } else { None } {
            if point.number == 1 {
                visit(inner.inside(&point))?;
            }
        }
    }
    Ok(())
}
