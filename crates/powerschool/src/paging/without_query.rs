//! Reading without our query: the table itself page by page, or the core resources that hold the same.

use tokio::sync::mpsc;

use super::{BATCH, Batch, Pull, counted, pages::Tally, rows::RowReader};
use crate::{
    client::Pulled,
    core::{Core, CoreSource},
    error::Error,
    records::Records,
    roster::RosterRow,
    transport::Call,
};

impl<R: RosterRow> Pull<'_, R> {
    /// Reads the table itself or, where the plugin may not, the core resources that hold the same.
    pub(super) async fn run_without_query(&self, sink: &mpsc::Sender<Batch<R>>) -> Result<Pulled, Error> {
        match self.run_table(sink).await {
            Err(Error::NoAccess { fields }) => {
                sink.send(Batch::StartOver).await.map_err(|_| Error::Stopped)?;
                let Some(source) = CoreSource::of(self.table) else { return Err(Error::CoreOnly { fields }) };
                tracing::info!(?fields, "the table is refused: reading core resources");
                self.run_core(source, sink).await
            }
            other => other,
        }
    }

    /// Reads core resources, whose order is not ours.
    async fn run_core(&self, source: CoreSource, sink: &mpsc::Sender<Batch<R>>) -> Result<Pulled, Error> {
        let wanted = self.narrowed.columns(self.table);
        let mut core = Core::new(self.client, self.transport, source, &wanted);
        let before = core.count().await?;
        let mut reader = RowReader::new(self.table.name).in_any_order();
        while let Some(records) = core.next_page().await? {
            for record in records {
                reader.complete(&record).map_err(|broken| broken.into_error(self.table.name))?;
            }
            reader.hand_over(sink, BATCH).await?;
        }
        reader.hand_over(sink, 1).await?;
        core.check_columns(self.table)?;
        self.agree(before, reader.distinct, core.count().await?)?;
        Ok(Pulled { rows: reader.distinct, ..Pulled::default() })
    }

    /// Reads the table itself, in pages.
    pub(super) async fn run_table(&self, sink: &mpsc::Sender<Batch<R>>) -> Result<Pulled, Error> {
        let size = self.page_size().await?;
        let mut pulled = Pulled::default();
        let mut read = Vec::new();
        let mut elsewhere = Vec::new();
        let mut filters = self.narrowed.filters(self.table.limit).into_iter().peekable();
        while let Some(filter) = filters.next() {
            let before = self.count_table(&filter).await?;
            let call = Call::get(format!("/ws/schema/table/{}", self.table.path_name()))
                .with("projection", self.narrowed.columns(self.table).join(","))
                .with("sort", self.table.key.join(","));
            let pages = self.pages(filtered(call, &filter), self.table.name, Vec::new());
            // Each filter's rows are sorted by themselves.
            let mut reader = RowReader::new(self.table.name).besides(elsewhere, filters.peek().is_some());
            let mut tally = Tally::default();
            self.read_pages(&pages, 1, size, before, &mut reader, &mut tally, sink).await?;
            reader.hand_over(sink, 1).await?;
            self.agree(before, reader.distinct, self.count_table(&filter).await?)?;
            elsewhere = reader.kept.unwrap_or_default();
            pulled.rows += reader.distinct;
            pulled.bytes += tally.bytes;
            read.push((filter, reader.distinct));
        }
        // An enrolment that is dropped or taken up again meanwhile goes from one filter to the other: each for itself
        // can agree without it. The last one has just been counted.
        for (filter, rows) in read.iter().rev().skip(1) {
            self.agree(*rows, *rows, self.count_table(filter).await?)?;
        }
        Ok(pulled)
    }

    async fn count_table(&self, filter: &str) -> Result<u64, Error> {
        let call = filtered(Call::get(format!("/ws/schema/table/{}/count", self.table.path_name())), filter);
        counted(&call, &self.transport.ask(&call).await?)
    }
}

fn filtered(call: Call, filter: &str) -> Call {
    if filter.is_empty() { call } else { call.with("q", filter) }
}
