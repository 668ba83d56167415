"""An LSTM that says words until END, looking at a part of the picture for each of them."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, log_softmax, normalize, one_hot

from darter.caption.features import grid_of, last_grid
from darter.model import END, PAD, START, UNKNOWN
from darter.transfer import Backbone, TransferModel

WIDTH = 256
BEAMS = 3
LENGTH_POWER = 0.7  # of the length by which the sum of log probabilities is divided
NEVER = -1e4  # log probability of what cannot be said


class Decoder(nn.Module):
    """Soft attention over positions and one LSTM cell.

    Sources: Vinyals et al., arXiv:1411.4555; Xu et al., arXiv:1502.03044 (soft attention, with
    its gate).
    """

    def __init__(self, channels: int, words: int, width: int = WIDTH, dropout: float = 0.4) -> None:
        super().__init__()
        self.words, self.width = words, width
        self.project = nn.Linear(channels, width)
        self.embed = nn.Linear(words, width, bias=False)  # of one-hot words: any engine has it
        self.seen, self.asked = nn.Linear(width, width), nn.Linear(width, width)
        self.attend, self.gate = nn.Linear(width, 1), nn.Linear(width, width)
        self.cell = nn.LSTMCell(2 * width, width)
        self.first_h, self.first_c = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.say = nn.Linear(2 * width, words)

    def begin(self, grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Projected positions (N, L, width), and the cell's first state, (N, 1, width) each."""
        places = torch.relu(self.project(grid))
        mean = places.mean(dim=1, keepdim=True)
        return places, torch.tanh(self.first_h(mean)), torch.tanh(self.first_c(mean))

    def step(
        self, places: Tensor, seen: Tensor, word: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(logits, h, c, attention) after one word of each of B sentences of a picture.

        seen: `self.seen(places)`, which is the same for all words.   word: one-hot, (N, B, words).
        h, c: (N, B, width).   Returns (N, B, …), attention (N, B, L).
        """
        heard = torch.tanh(seen[:, None] + self.asked(h)[:, :, None])
        weights = self.attend(heard).squeeze(3).softmax(dim=2)
        context = (weights @ places) * torch.sigmoid(self.gate(h))
        h, c = self._cell(torch.cat((self.embed(word), context), dim=2), h, c)
        return self.say(self.dropout(torch.cat((h, context), dim=2))), h, c, weights

    def _cell(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """`self.cell` on the last axis, whichever axes come before it."""
        cell = self.cell
        gates = linear(x, cell.weight_ih, cell.bias_ih) + linear(h, cell.weight_hh, cell.bias_hh)
        i, f, g, o = gates.chunk(4, dim=2)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def teach(self, grid: Tensor, words: Tensor) -> Tensor:
        """Logits (N, T - 1, words) of each next word, given the true ones before it (N, T)."""
        places, h, c = self.begin(self.dropout(grid))
        seen, logits = self.seen(places), []
        for k in range(words.shape[1] - 1):
            word = one_hot(words[:, k : k + 1], self.words).to(places.dtype)
            said, h, c, _ = self.step(places, seen, word, h, c)
            logits.append(said)
        return torch.cat(logits, dim=1)

    def looks(self, grid: Tensor, words: Tensor) -> Tensor:
        """How much each position weighed for each next word (N, T - 1, L), given those before it
        (N, T)."""
        places, h, c = self.begin(grid)
        seen, weights = self.seen(places), []
        for k in range(words.shape[1] - 1):
            word = one_hot(words[:, k : k + 1], self.words).to(places.dtype)
            _, h, c, weight = self.step(places, seen, word, h, c)
            weights.append(weight)
        return torch.cat(weights, dim=1)


class Captioning(TransferModel):
    """Pictures (N, 3, H, W), or their grids (N, L, channels), to sentences.

    In training the grids come out as they are: the loss teaches the decoder on them. In
    evaluation: (N, BEAMS, 1 + length), the log probability and the words of each sentence,
    likeliest first (beam search; sums are divided by length ** LENGTH_POWER, Wu et al.,
    arXiv:1609.08144).
    """

    head: Decoder

    def __init__(
        self, backbone: Backbone, channels: int, words: int, length: int, *, seed: int = 0
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.backbone, self.net, self.tap = backbone, backbone.net, last_grid(backbone)
        self.length = length
        self.head = Decoder(channels, words)

    @property
    def dropout(self) -> nn.Dropout:
        return self.head.dropout

    def forward(self, x: Tensor) -> Tensor:
        grid = grid_of(self.net, self.tap, x) if x.dim() == 4 else x
        return grid if self.head.training else self.search(grid)

    def search(self, grid: Tensor) -> Tensor:
        decoder, beams, vocabulary = self.head, BEAMS, self.head.words
        places, h, c = decoder.begin(grid)
        seen = decoder.seen(places)
        h, c = (state.expand(-1, beams, -1) for state in (h, c))
        banned = NEVER * _marks(vocabulary, (PAD, START, UNKNOWN), grid)
        only_end = NEVER * (1 - _marks(vocabulary, (END,), grid))
        ended = torch.zeros_like(h[:, :, :1])  # (N, B, 1)
        # All beams are the same at first: all but one are kept from being chosen.
        total = NEVER * (1 - _marks(beams, (0,), grid))[:, None] + ended
        word = _marks(vocabulary, (START,), grid) + ended  # (N, B, words)
        lengths, said = ended, torch.zeros_like(ended[:, :, :0])
        every = torch.arange(beams * vocabulary, device=grid.device)
        for _ in range(self.length):
            logits, h, c, _ = decoder.step(places, seen, word, h, c)
            step = log_softmax(logits + banned, dim=2)
            step = step * (1 - ended) + only_end * ended  # who has ended says END for nothing
            lengths = lengths + (1 - ended)
            sums = total + step
            value = (sums / lengths**LENGTH_POWER).flatten(1)
            at = value.topk(beams, dim=1)[1]  # (N, B)
            chosen = (at[:, :, None] == every).to(grid.dtype)  # one-hot, (N, B, B * words)
            apart = chosen.reshape(-1, beams, beams, vocabulary)
            pick, word = apart.sum(dim=3), apart.sum(dim=2)  # whose sentence goes on, and how
            total = sums.flatten(1).gather(1, at)[:, :, None]
            h, c, lengths, ended = (pick @ state for state in (h, c, lengths, ended))
            number = word @ torch.arange(vocabulary, dtype=grid.dtype, device=grid.device)[:, None]
            said = torch.cat((pick @ said, number), dim=2) if said.shape[2] else number
            ended = torch.maximum(ended, word[:, :, END : END + 1])
        return torch.cat((total, said), dim=2)


def _marks(size: int, places: tuple[int, ...], like: Tensor) -> Tensor:
    """(size,), 1 at these places."""
    marks = [float(k in places) for k in range(size)]
    return torch.tensor(marks, dtype=like.dtype, device=like.device)


class Retrieval(nn.Module):
    """The sentence of the training picture that looks most alike: the baseline.

    Gives (N, 1, 1 + length): the cosine of the features, and the words.
    Source: Devlin et al., arXiv:1505.04467.
    """

    def __init__(self, backbone: Backbone, features: Tensor, sentences: Tensor) -> None:
        """features: (M, channels), of the training pictures.   sentences: (M, length)."""
        super().__init__()
        self.backbone, self.net, self.tap = backbone, backbone.net, last_grid(backbone)
        self.register_buffer("looks", normalize(features.float(), dim=1))
        self.register_buffer("known", sentences.float())

    def forward(self, x: Tensor) -> Tensor:
        grid = grid_of(self.net, self.tap, x) if x.dim() == 4 else x
        likeness = normalize(grid.mean(dim=1), dim=1) @ self.get_buffer("looks").T
        best, at = likeness.max(dim=1, keepdim=True)
        chosen = one_hot(at[:, 0], likeness.shape[1]).to(best.dtype) @ self.get_buffer("known")
        return torch.cat((best, chosen), dim=1).unsqueeze(1)
