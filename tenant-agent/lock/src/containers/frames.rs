//! What a container prints, out of the frames in which the engine sends it: eight bytes, the last four of them a length, and
//! so many bytes, of either output.
//!
//! Source: the engine's API reference, "Attach to a container", stream format.

const HEAD: usize = 8;

/// Where one is between two pieces.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: Vec<u8>,
    /// Of the present frame.
    left: usize,
}

impl Frames {
    /// Adds what a piece holds of both outputs to `out`, in the order in which it came.
    pub(super) fn push(&mut self, mut piece: &[u8], out: &mut Vec<u8>) {
        while !piece.is_empty() {
            if self.left > 0 {
                let (now, later) = piece.split_at(self.left.min(piece.len()));
                out.extend_from_slice(now);
                self.left -= now.len();
                piece = later;
                continue;
            }
            let (now, later) = piece.split_at((HEAD - self.head.len()).min(piece.len()));
            self.head.extend_from_slice(now);
            piece = later;
            if let [_, _, _, _, a, b, c, d] = self.head[..] {
                self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                self.head.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).expect("short").to_be_bytes();
        [&[stream, 0, 0, 0][..], &length, text].concat()
    }

    #[test]
    fn wherever_it_is_cut_the_same_comes_out() {
        let said = [frame(1, b"one\n"), frame(2, b""), frame(2, b"two"), frame(1, &[0; 300])].concat();
        let want = [&b"one\ntwo"[..], &[0; 300]].concat();
        for size in 1..said.len() + 1 {
            let (mut frames, mut out) = (Frames::default(), Vec::new());
            said.chunks(size).for_each(|piece| frames.push(piece, &mut out));
            assert_eq!(out, want, "{size}");
        }
    }

    #[test]
    fn half_a_frame_is_what_there_is_of_it() {
        let (mut frames, mut out) = (Frames::default(), Vec::new());
        frames.push(&frame(1, b"abcdef")[..HEAD + 3], &mut out);
        assert_eq!(out, b"abc");
        frames.push(&[], &mut out);
        frames.push(b"def", &mut out);
        assert_eq!(out, b"abcdef");
    }
}
