//! One call of one caller, asked and ended as its model's name says.

use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::chance::Chance;
use crate::clients::{PATIENCE, Scene};
use crate::ways::{END, Ending, Model};
use crate::wire::Answer;

pub(crate) struct Call<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) model: Model,
    pub(crate) number: u64,
    pub(crate) chance: &'a mut Chance,
    pub(crate) answer: Answer,
}

impl Call<'_> {
    pub(crate) async fn run(&mut self, line: &mut Option<TcpStream>) -> anyhow::Result<()> {
        let (path, body) = self.scene.talk.ask(self.model, self.number, self.chance);
        let key = match self.model.api.dialect() {
            "anthropic" => "anthropic-version: 2023-06-01\r\nx-api-key: ",
            "gemini" => "x-goog-api-key: ",
            _ => "authorization: Bearer ",
        };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: soak\r\ncontent-type: application/json\r\n{key}{}\r\n",
            self.scene.clients.token
        );
        let request = if self.chance.below(4) == 0 {
            // In chunks, as some clients do.
            let mut request = format!("{head}transfer-encoding: chunked\r\n\r\n").into_bytes();
            for piece in body.chunks(20_000) {
                request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                request.extend_from_slice(piece);
                request.extend_from_slice(b"\r\n");
            }
            request.extend_from_slice(b"0\r\n\r\n");
            request
        } else {
            [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat()
        };
        let mut stream = match line.take() {
            Some(stream) => stream,
            None => self.scene.connect(0).await?,
        };
        timeout(PATIENCE, self.play(&mut stream, &request)).await??;
        if !self.model.ending.ends_connection() && !self.answer.closes() && self.chance.below(20) > 0 {
            *line = Some(stream);
        }
        Ok(())
    }

    async fn play(&mut self, stream: &mut TcpStream, request: &[u8]) -> anyhow::Result<()> {
        match self.model.ending {
            Ending::Plain | Ending::Stream | Ending::Torn => {
                stream.write_all(request).await?;
                anyhow::ensure!(whole(stream, &mut self.answer).await?, "the connection ended within an answer");
                self.is_right()
            }
            Ending::Slow => {
                stream.write_all(request).await?;
                self.slowly(stream).await?;
                self.is_right()
            }
            Ending::Error => {
                stream.write_all(request).await?;
                anyhow::ensure!(whole(stream, &mut self.answer).await?, "the connection ended within an error");
                anyhow::ensure!(matches!(self.answer.status, 429 | 500 | 529), "it should be an error");
                Ok(())
            }
            Ending::Cut | Ending::Stall | Ending::Reset => {
                stream.write_all(request).await?;
                // It may be told as an error, or as a stream with an error at its end, or as a cut.
                let _ = whole(stream, &mut self.answer).await;
                anyhow::ensure!(matches!(self.answer.status, 200 | 502), "it should break");
                let end = format!("{END}{};", self.number);
                anyhow::ensure!(memmem::find(&self.answer.body, end.as_bytes()).is_none(), "it should have no end");
                Ok(())
            }
            Ending::Leave | Ending::Tired => {
                stream.write_all(request).await?;
                self.read_some(stream).await?;
                self.leave(stream)
            }
            Ending::Early => {
                stream.write_all(request).await?;
                sleep(Duration::from_micros(self.chance.below(60_000) as u64)).await;
                self.leave(stream)
            }
            Ending::Half => {
                stream.write_all(request).await?;
                stream.shutdown().await?;
                // Answered or not, the connection must come to its end.
                let _ = stream.read_to_end(self.answer.room()).await;
                Ok(())
            }
            Ending::Part => self.part(stream, request).await,
        }
    }

    /// A part of an answer.
    async fn read_some(&mut self, stream: &mut TcpStream) -> anyhow::Result<()> {
        let enough = match self.model.ending {
            Ending::Tired => 1,
            _ => 1 + self.chance.below(20_000),
        };
        let mut room = vec![0; 4096];
        let mut got = 0;
        while got < enough {
            let read = stream.read(&mut room).await?;
            anyhow::ensure!(read > 0, "it should go on");
            let right = got > 0 || room.starts_with(b"HTTP/1.1 200");
            anyhow::ensure!(right, "{}", String::from_utf8_lossy(&room[..read.min(400)]));
            got += read;
        }
        Ok(())
    }

    /// A part of a request.
    async fn part(&mut self, stream: &mut TcpStream, request: &[u8]) -> anyhow::Result<()> {
        let cut = 1 + self.chance.below(request.len() - 1);
        stream.write_all(&request[..cut]).await?;
        sleep(Duration::from_millis(self.chance.below(30) as u64)).await;
        if self.chance.below(2) == 0 {
            stream.shutdown().await?;
            let _ = stream.read_to_end(self.answer.room()).await;
            return Ok(());
        }
        self.leave(stream)
    }

    /// Ends the connection, sometimes by a reset.
    fn leave(&mut self, stream: &mut TcpStream) -> anyhow::Result<()> {
        if self.chance.below(3) == 0 {
            stream.set_zero_linger()?;
        }
        Ok(())
    }

    async fn slowly(&mut self, stream: &mut TcpStream) -> anyhow::Result<()> {
        let mut room = vec![0; 8 * 1024];
        loop {
            let read = stream.read(&mut room).await?;
            self.answer.room().extend_from_slice(&room[..read]);
            if self.answer.advance()? {
                return Ok(());
            }
            anyhow::ensure!(read > 0, "the connection ended within a stream");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether the answer is whole and to this call.
    fn is_right(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.answer.status == 200, "status");
        let end = format!("{END}{};", self.number);
        anyhow::ensure!(memmem::find(&self.answer.body, end.as_bytes()).is_some(), "its end is missing");
        Ok(())
    }
}

/// Reads an answer to its end; `false` if the connection ended before.
pub(crate) async fn whole(stream: &mut TcpStream, answer: &mut Answer) -> std::io::Result<bool> {
    loop {
        let read = stream.read_buf(answer.room()).await?;
        if answer.advance().map_err(std::io::Error::other)? {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
    }
}
