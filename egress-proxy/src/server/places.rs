//! Who may be connected: a bounded number, of whom those with nothing to ask go first.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// One in so many places is kept free by sending somebody away, so that nobody has to wait for one.
const FREE: usize = 32;

/// All places of one listener.
pub(super) struct Places {
    most: usize,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    taken: usize,
    rests: u64,
    /// By the order in which they came to rest.
    resting: BTreeMap<u64, oneshot::Sender<()>>,
}

/// The place of one connection.
pub(super) struct Place {
    places: Arc<Places>,
    /// It was given to somebody else.
    lost: bool,
}

/// A connection that may be sent away.
pub(super) struct Resting<'a> {
    place: &'a mut Place,
    number: u64,
    sent_away: oneshot::Receiver<()>,
}

impl Places {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), book: Mutex::default() })
    }

    /// A place, or `None` if all are taken by somebody who asks or is answered.
    pub(super) fn take(self: &Arc<Self>) -> Option<Place> {
        let mut book = self.book();
        if self.is_scarce(&book) {
            book.send_away();
        }
        if book.taken >= self.most {
            return None;
        }
        book.taken += 1;
        Some(Place { places: Arc::clone(self), lost: false })
    }

    fn is_scarce(&self, book: &Book) -> bool {
        book.taken >= self.most - self.most / FREE
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// The one that has rested longest.
    fn send_away(&mut self) {
        if let Some((_, one)) = self.resting.pop_first() {
            self.taken -= 1;
            // Whoever is leaving anyway does not hear it.
            let _ = one.send(());
        }
    }
}

impl Place {
    /// Nothing is asked on this connection.
    pub(super) fn rest(&mut self) -> Resting<'_> {
        let (sender, sent_away) = oneshot::channel();
        let mut book = self.places.book();
        let number = book.rests;
        book.rests += 1;
        book.resting.insert(number, sender);
        drop(book);
        Resting { place: self, number, sent_away }
    }

    /// Whether the last places are being taken.
    pub(super) fn is_scarce(&self) -> bool {
        self.places.is_scarce(&self.places.book())
    }

    /// Whether it was given to somebody else.
    pub(super) fn is_lost(&self) -> bool {
        self.lost
    }
}

impl Resting<'_> {
    /// Waits until the place is needed for somebody else.
    pub(super) async fn sent_away(&mut self) {
        let _ = (&mut self.sent_away).await;
    }
}

impl Drop for Resting<'_> {
    fn drop(&mut self) {
        self.place.lost = self.place.places.book().resting.remove(&self.number).is_none();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.lost {
            self.places.book().taken -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_who_rested_longest_is_given_on() {
        let places = Places::new(2);
        let (mut one, mut two) = (places.take().unwrap(), places.take().unwrap());
        assert!(places.take().is_none());
        let (second, first) = (two.rest(), one.rest());
        let three = places.take().unwrap();
        drop(second);
        assert!(two.is_lost());
        drop(two);
        assert_eq!(places.book().taken, 2, "a lost place is not given back");
        drop(first);
        assert!(!one.is_lost());
        drop((one, three));
        assert_eq!(places.book().taken, 0);
    }

    #[test]
    fn somebody_is_sent_away_before_the_last_place_is_taken() {
        let places = Places::new(FREE);
        let mut all: Vec<Place> = (0..FREE - 1).map(|_| places.take().unwrap()).collect();
        assert!(all[0].is_scarce());
        let resting = all[0].rest();
        let next = places.take().unwrap();
        drop(resting);
        assert!(all[0].is_lost());
        assert_eq!(places.book().taken, FREE - 1);
        drop(next);
    }
}
