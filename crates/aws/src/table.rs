//! The table in DynamoDB. Each method is one operation of DynamoDB's, asked as often as there are
//! pages; there are no retries, no caches and no decisions.

use std::collections::HashMap;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use tidewatch_core::table_store::table::{Item, ItemKey, Part, Table, TableError, Write, Written};
use tidewatch_core::time::Time;
use tokio::time::Instant;

use crate::asked::{Asked, Service};
use crate::failure::Failure;
use crate::item::{self, Attributes};
use crate::latency::{Latencies, Meter};
use crate::request::{Expressions, due_at, index_partition};
use crate::schema;

/// A table with the keys and the index of [`schema`]. Clones are measured together.
#[derive(Clone, Debug)]
pub struct DynamoTable {
    client: Client,
    name: String,
    meter: Arc<Meter>,
}

impl DynamoTable {
    /// The table `name`, reached by `client` ([`crate::client::dynamodb`] makes one). Nothing is sent
    /// yet, and nobody has checked that the table exists.
    pub fn new(client: Client, name: impl Into<String>) -> DynamoTable {
        DynamoTable { client, name: name.into(), meter: Arc::default() }
    }

    /// What requests took since this was called last.
    pub fn take_latencies(&self) -> Latencies {
        self.meter.take()
    }

    fn asked(&self, operation: &'static str) -> Asked<'_> {
        Asked { service: Service::DynamoDb, operation, resource: &self.name }
    }

    /// Sends a request and takes its time.
    async fn timed<T, E>(
        &self,
        answer: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, SdkError<E, HttpResponse>> {
        let begun = Instant::now();
        let answer = answer.await;
        self.meter.note(begun.elapsed());
        answer
    }

    /// What an error means.
    fn failed<E>(&self, asked: Asked<'_>, error: &SdkError<E, HttpResponse>) -> TableError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let failure = asked.failed(error);
        if matches!(failure, Failure::Throttled(_)) {
            self.meter.note_throttled();
        }
        failure.into()
    }

    /// The next page of the items of `key`, and where the one after it starts.
    async fn page(
        &self,
        key: &[u8],
        start: Option<Attributes>,
    ) -> Result<(Vec<Attributes>, Option<Attributes>), TableError> {
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("#k = :k")
            .expression_attribute_names("#k", schema::KEY)
            .expression_attribute_values(":k", item::binary(key.to_vec()))
            .set_exclusive_start_key(start);
        let sent = self.timed(request.send()).await;
        let output = sent.map_err(|error| self.failed(self.asked("Query"), &error))?;
        Ok((output.items.unwrap_or_default(), output.last_evaluated_key.filter(more)))
    }

    /// The next page of the index, at most `limit` entries of it.
    async fn due_page(
        &self,
        partition: u8,
        until: Time,
        limit: usize,
        start: Option<Attributes>,
    ) -> Result<(Vec<Attributes>, Option<Attributes>), TableError> {
        let names = [("#q", schema::INDEX_PARTITION), ("#d", schema::INDEX_DUE)];
        let names = names.map(|(placeholder, name)| (placeholder.to_owned(), name.to_owned()));
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(schema::INDEX)
            .key_condition_expression("#q = :q AND #d <= :until")
            .set_expression_attribute_names(Some(HashMap::from(names)))
            .expression_attribute_values(":q", index_partition(partition))
            .expression_attribute_values(":until", due_at(until))
            .scan_index_forward(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let sent = self.timed(request.send()).await;
        let output = sent.map_err(|error| self.failed(self.asked("Query"), &error))?;
        Ok((output.items.unwrap_or_default(), output.last_evaluated_key.filter(more)))
    }
}

/// Whether a key to go on from is one.
fn more(start: &Attributes) -> bool {
    !start.is_empty()
}

impl Table for DynamoTable {
    /// UpdateItem. An error of the kind [`TableError::Unusable`] may come after
    /// the write was applied: the item then holds what another program wrote.
    ///
    /// # Panics
    /// If the write names an index partition that does not exist, or changes an attribute twice.
    async fn write(&self, write: &Write) -> Result<Written, TableError> {
        let Expressions { update, condition, names, values } = Expressions::of(write);
        let request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(item::key(&write.item)))
            .update_expression(update)
            .set_condition_expression(condition)
            .set_expression_attribute_names(Some(names))
            .set_expression_attribute_values(Some(values))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let sent = self.timed(request.send()).await;
        let asked = self.asked("UpdateItem");
        let read = |attributes| item::read(attributes).map_err(|wrong| asked.unreadable(&wrong));
        match sent {
            Ok(output) => {
                let attributes = output.attributes.ok_or_else(|| asked.incomplete("item"))?;
                Ok(Written::Applied(read(attributes)?))
            }
            Err(SdkError::ServiceError(answer))
                if answer.err().is_conditional_check_failed_exception() =>
            {
                let UpdateItemError::ConditionalCheckFailedException(refusal) = answer.into_err()
                else {
                    return Err(asked.incomplete("condition").into());
                };
                Ok(Written::Refused(refusal.item.map(read).transpose()?))
            }
            Err(error) => Err(self.failed(asked, &error)),
        }
    }

    /// GetItem, strongly consistent.
    async fn get(&self, item: &ItemKey) -> Result<Option<Item>, TableError> {
        let asked = self.asked("GetItem");
        let request = self.client.get_item().table_name(&self.name).consistent_read(true);
        let sent = self.timed(request.set_key(Some(item::key(item))).send()).await;
        let found = sent.map_err(|error| self.failed(asked, &error))?.item;
        found.map(item::read).transpose().map_err(|wrong| asked.unreadable(&wrong))
    }

    /// Query, strongly consistent, to its last page, in the order of the parts' bytes. Items of parts
    /// that this version does not know are left out.
    async fn query(&self, key: &[u8]) -> Result<Vec<(Part, Item)>, TableError> {
        let asked = self.asked("Query");
        let mut items = Vec::new();
        let mut start = None;
        loop {
            let (page, next) = self.page(key, start).await?;
            for mut attributes in page {
                let part = item::part(&mut attributes).map_err(|wrong| asked.unreadable(&wrong))?;
                if let Some(part) = part {
                    let item = item::read(attributes).map_err(|wrong| asked.unreadable(&wrong))?;
                    items.push((part, item));
                }
            }
            start = next;
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    /// Query of the index.
    ///
    /// # Panics
    /// If the index has no such partition.
    async fn due(
        &self,
        partition: u8,
        until: Time,
        limit: usize,
    ) -> Result<Vec<ItemKey>, TableError> {
        let asked = self.asked("Query");
        let mut due = Vec::new();
        let mut start = None;
        while due.len() < limit {
            let (page, next) = self.due_page(partition, until, limit - due.len(), start).await?;
            for attributes in page {
                let key = item::item_key(attributes).map_err(|wrong| asked.unreadable(&wrong))?;
                due.extend(key);
            }
            start = next;
            if start.is_none() {
                break;
            }
        }
        due.truncate(limit);
        Ok(due)
    }
}
